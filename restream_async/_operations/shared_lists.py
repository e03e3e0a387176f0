"""Existence checks share lists: one list of a video serves all checks that it can serve.

A list shows what exists when the service answers it. So a check may use a list only if the list
was requested after the check began: the service may have answered an older one before something
was created. Per video at most one list is requested at a time (single flight). Checks that begin
meanwhile wait for it, and then share the next one.

A check that accepts a recent list may also use one that was requested within the last second. It
is meant for a restream that nobody has tried to create before. What this client itself tried to
create since then, a recent list does not show: such a check gets a list of its own.

Failures are not shared: they may come from the deadline of one check. The next check that waits
requests a list itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from math import inf
from typing import Final

import attrs

from restream_async._retry.classification import Failure
from restream_async.models import Restream

RECENT: Final = 1.0
"""Seconds for which a list is recent."""


@attrs.define
class _Video:
    """The latest list of one video, and the turn to request the next one."""

    turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    checks: int = 0
    requested: float = -inf
    restreams: list[Restream] | None = None
    ended: dict[Hashable, float] = attrs.field(factory=dict[Hashable, float])


class SharedLists:
    """The lists of videos that the existence checks of one client share."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Take the time from a clock that never goes back."""
        self._now = now
        self.videos: dict[str, _Video] = {}
        """Those whose lists are kept or under way; while there are none, no end need be noted."""

    async def get(
        self,
        video_id: str,
        key: Hashable,
        request: Callable[[], Awaitable[list[Restream] | Failure | None]],
        *,
        recent: bool,
        seconds: float | None,
    ) -> list[Restream] | Failure | None:
        """Return the restreams of a video, for the existence check of one restream.

        Args:
            video_id: the video.
            key: what makes two restreams the same one, as `note_end` gets it.
            request: requests a list; None: the service has nothing to list.
            recent: whether a recent list is good enough.
            seconds: how long to wait for a turn; None: for as long as it takes.

        Raises:
            TimeoutError: the turn did not come in time; nothing was requested.

        """
        began = self._now()
        self._drop_old(began)
        # Taken out and put back, so that the one requested longest ago comes first.
        video = self.videos.pop(video_id) if video_id in self.videos else _Video()
        self.videos[video_id] = video
        oldest = max(began - RECENT, video.ended.get(key, -inf)) if recent else began
        if video.requested > oldest:
            return video.restreams
        video.checks += 1
        try:
            async with asyncio.timeout(seconds):
                await video.turn.acquire()
            try:
                if video.requested > oldest:
                    return video.restreams
                requested = self._now()
                found = await request()
                if not isinstance(found, Failure):
                    video.requested, video.restreams = requested, found
                    video.ended = {k: at for k, at in video.ended.items() if at >= requested}
                return found
            finally:
                video.turn.release()
        finally:
            video.checks -= 1
            if not (recent or video.checks):
                del self.videos[video_id]

    def note_end(self, video_id: str, key: Hashable) -> None:
        """Note that an attempt to create a restream has ended, however it ended."""
        if (video := self.videos.get(video_id)) is not None:
            now = self._now()
            if _is_old(video, now):
                del self.videos[video_id]
            else:
                video.ended[key] = now

    def _drop_old(self, now: float) -> None:
        while self.videos:
            video_id, video = next(iter(self.videos.items()))
            if not _is_old(video, now):
                return
            del self.videos[video_id]


def _is_old(video: _Video, now: float) -> bool:
    """Say whether no check can use the latest list any more."""
    return not video.checks and video.requested <= now - RECENT
