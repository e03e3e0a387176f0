"""How many requests are served at once, and how many wait in a queue."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import attrs


def _check(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name} must be None or >= {least}, not {value!r}")


@attrs.define(eq=False)
class Slot:
    """One of the requests being served. It is free again when all its holders have released it.

    Both the request and the work for it hold the slot: the work goes on when the client leaves, and
    a hanging request goes on when the work is done.
    """

    _capacity: Capacity
    _holders: int = 1

    def share(self) -> None:
        """Add a holder."""
        self._holders += 1

    def release(self) -> None:
        """Remove a holder."""
        self._holders -= 1
        if not self._holders:
            self._capacity.release()


class Capacity:
    """Slots for requests, and a first-come first-served queue for them."""

    def __init__(self, limit: int | None, queue: int | None) -> None:
        """Serve `limit` requests at once and let `queue` requests wait (None: no limit).

        Raises `ValueError` for a limit below 1 or a queue below 0.
        """
        _check("capacity", limit, 1)
        self._limit = limit
        self.queue = queue
        self._busy = 0
        # Not a deque, because a client that leaves may be anywhere in a long queue.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def limit(self) -> int | None:
        """How many requests are served at once; raising it serves the next ones in the queue."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        _check("capacity", limit, 1)
        self._limit = limit
        self._admit()

    @property
    def queue(self) -> int | None:
        """How many requests may wait. Lowering it affects no request that waits already."""
        return self._queue

    @queue.setter
    def queue(self, queue: int | None) -> None:
        _check("queue", queue, 0)
        self._queue = queue

    async def acquire(self) -> Slot | None:
        """Wait for a slot. Returns None at once if there is no slot and the queue is full."""
        if self._has_room():
            self._busy += 1
        elif self._queue is not None and len(self._waiting) >= self._queue:
            return None
        else:
            await self._wait_for_turn()
        return Slot(self)

    def release(self) -> None:
        """Give a slot back."""
        self._busy -= 1
        self._admit()

    def cancel_waiting(self) -> None:
        """Cancel all requests in the queue."""
        for turn in self._waiting:
            turn.cancel()

    async def _wait_for_turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if not turn.cancelled():
                # The turn came while the client was leaving, so it goes to the next one.
                self.release()
            raise

    def _has_room(self) -> bool:
        return self._limit is None or self._busy < self._limit

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            turn, _ = self._waiting.popitem(last=False)
            # A cancelled waiter leaves the queue only when its task runs next.
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
