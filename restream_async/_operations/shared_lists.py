"""Private: existence checks share lists: one list of a video serves several checks.

A check uses a list only if the list was requested after the check began: an older list may have
been answered before the restream was created. For each video, at most one list is in progress at a
time (single flight). Checks that begin meanwhile wait for its end, and then share the next one.

A check that accepts a recent list also uses one that was requested within the last second. Such a
check is meant for a restream that no program has tried to create before. If this client itself has
tried since the list was requested, the check needs a newer list.

Failures are not shared, because they may come from the deadline of one check. The next check that
waits requests a list itself.
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
    """The latest list of one video.

    Attributes:
        turn: held while a list is in progress.
        checks: how many checks wait for a list.
        requested: when the latest list was requested.
        restreams: the latest list; None if the service had nothing to list.
        ended: when attempts to create restreams ended that the latest list may not show, by key.

    """

    turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    checks: int = 0
    requested: float = -inf
    restreams: list[Restream] | None = None
    ended: dict[Hashable, float] = attrs.field(factory=dict[Hashable, float])


class SharedLists:
    """The lists of videos that the existence checks of one client share."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start with no lists; `now` returns seconds and never goes back."""
        self._now = now
        self.videos: dict[str, _Video] = {}
        """The videos whose lists are kept or in progress. While empty, `note_end` does nothing."""

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
            key: the key of the restream, as `note_end` gets it.
            request: requests a list; returns None if the service has nothing to list.
            recent: whether a recent list is good enough.
            seconds: how long to wait while another list is in progress; None: without limit.

        Raises:
            TimeoutError: the other list took longer; nothing was requested.

        """
        began = self._now()
        self._drop_old(began)
        # Moved to the end, so that the video checked longest ago comes first.
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
        """Note that an attempt to create a restream has ended, with or without success."""
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
    """Return whether no check can use the latest list any more."""
    return not video.checks and video.requested <= now - RECENT
