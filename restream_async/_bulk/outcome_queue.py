"""Private: the outcomes of a run that the consumer has not taken yet."""

import asyncio
from collections import deque

from restream_async.models import Outcome


class OutcomeQueue:
    """Outcomes in the order in which items ended.

    Attributes:
        ready: the outcomes that can be taken.

    """

    def __init__(self, most: int) -> None:
        """Start empty; with `most` outcomes the queue is full."""
        self._most = most
        self.ready: deque[Outcome] = deque()
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether the consumer is slow: no item should be created before it takes an outcome."""
        return len(self.ready) >= self._most

    def put(self, outcome: Outcome) -> None:
        """Add an outcome."""
        self.ready.append(outcome)
        if not self._changed.is_set():
            self._changed.set()

    def get(self) -> Outcome:
        """Take the next outcome."""
        self._taken.set()
        return self.ready.popleft()

    async def wait_for_outcome(self) -> None:
        """Wait for an outcome, or for `wake_consumer`."""
        self._changed.clear()
        await self._changed.wait()

    def wake_consumer(self) -> None:
        """End the wait of the consumer, because no outcome may come any more."""
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait until an outcome is taken, or for `wake_producers`."""
        self._taken.clear()
        await self._taken.wait()

    def wake_producers(self) -> None:
        """End the waits for room, because no room is needed any more."""
        self._taken.set()
