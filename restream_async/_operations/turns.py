"""Private: equal restreams are created in turns, so that the second creation finds the first.

Two restreams are equal if they have the same key (`existence.key_of`).
"""

import asyncio
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Final

from restream_async._operations.existence import Key, key_of
from restream_async._operations.matching import Match, match_url
from restream_async._retry.deadline import Deadline
from restream_async.models import NewRestream

_MOST_UNRESOLVED: Final = 1000
"""How many creations that ended in doubt are remembered."""


class Turns:
    """The creations of one client that are in progress, and those that ended in doubt."""

    def __init__(self) -> None:
        """Start with none."""
        # An event is made when a second creation waits for the first.
        self._in_progress: dict[Key, asyncio.Event | None] = {}
        # The service may have made their restreams, but no id is known.
        self._unresolved: dict[Key, None] = {}
        # The creations that have ended since somebody began to watch a video.
        self._watched: dict[str, set[Key]] = {}

    def is_taken(self, key: Key) -> bool:
        """Return whether an equal restream is being created."""
        return key in self._in_progress

    async def wait_for(self, key: Key, deadline: Deadline) -> None:
        """Wait until no equal restream is being created.

        Raises:
            TimeoutError: the deadline came first, or the call was stopped.

        """
        # The deadline of a patient call moves on in an outage, so only its stop ends the wait.
        longest = None if deadline.patient else deadline.remaining()
        await deadline.stop.wait_for(self._end_of(key), longest)

    @contextmanager
    def watch(self, video_id: str) -> Generator[AbstractSet[Key]]:
        """Return the creations of a video that end during the block; the set grows.

        What is in it may exist although a list from before did not show it. There must be one such
        block for a video at a time.
        """
        self._watched[video_id] = ended = set[Key]()
        try:
            yield ended
        finally:
            self._watched.pop(video_id, None)

    def begin(self, key: Key) -> None:
        """Note that a creation begins."""
        self._in_progress[key] = None

    def end(self, key: Key, *, in_doubt: bool) -> None:
        """Note that a creation ended, and whether its outcome is unknown."""
        if in_doubt:
            self._unresolved[key] = None
            if len(self._unresolved) > _MOST_UNRESOLVED:
                del self._unresolved[next(iter(self._unresolved))]
        if (watched := self._watched.get(key[0])) is not None:
            watched.add(key)
        if (ended := self._in_progress.pop(key)) is not None:
            ended.set()

    def resolve(self, key: Key) -> None:
        """Forget earlier doubts about a restream that is known to exist."""
        self._unresolved.pop(key, None)

    def has_rivals(self, new: NewRestream) -> bool:
        """Return whether the client may have created others for the same video and stream URL.

        If a list hides stream keys, a rival looks like the wanted restream.
        """
        key = key_of(new)
        return any(
            other != key
            and other[0] == new.video_id
            and match_url(new.stream_url, other[1]) is not Match.DIFFERENT
            for other in (*self._in_progress, *self._unresolved)
        )

    async def _end_of(self, key: Key) -> None:
        while key in self._in_progress:
            ended = self._in_progress[key]
            if ended is None:
                ended = self._in_progress[key] = asyncio.Event()
            await ended.wait()
