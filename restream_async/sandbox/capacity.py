"""How many requests are served at once, and who waits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import attrs


def _check(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name} must be None or >= {least}, not {value!r}")


@attrs.define(eq=False)
class Place:
    """A place among those being served. It is free again once all its holders let go.

    Both the request and the work done for it hold it: the work goes on when the client leaves,
    and a hanging request goes on when the work is done.
    """

    _capacity: Capacity
    _holders: int = 1

    def hold(self) -> None:
        """Keep the place for one more holder."""
        self._holders += 1

    def let_go(self) -> None:
        """Give up one holder's claim."""
        self._holders -= 1
        if not self._holders:
            self._capacity.leave()


class Capacity:
    """Places to be served in, and a first-come first-served queue for them."""

    def __init__(self, limit: int | None, queue: int | None) -> None:
        """Serve `limit` at once and let `queue` wait (None: no bound).

        Raises `ValueError` for a limit below 1 or a queue below 0.
        """
        _check("capacity", limit, 1)
        self._limit = limit
        self.queue = queue
        self._busy = 0
        # Ordered, not a deque: a client that leaves may stand anywhere in a long queue.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def limit(self) -> int | None:
        """How many are served at once; raising it lets those next in the queue in."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        _check("capacity", limit, 1)
        self._limit = limit
        self._admit()

    @property
    def queue(self) -> int | None:
        """How many may wait. Lowering it turns nobody away who waits already."""
        return self._queue

    @queue.setter
    def queue(self, queue: int | None) -> None:
        _check("queue", queue, 0)
        self._queue = queue

    async def enter(self) -> Place | None:
        """Wait for a place; None at once if there is none, nor room to wait for one."""
        if self._has_room():
            self._busy += 1
        elif self._queue is not None and len(self._waiting) >= self._queue:
            return None
        else:
            await self._wait_for_turn()
        return Place(self)

    def leave(self) -> None:
        """Give a place back."""
        self._busy -= 1
        self._admit()

    def dismiss(self) -> None:
        """Cancel everyone who waits."""
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
                # The turn came while the client was leaving: the next one must have it.
                self.leave()
            raise

    def _has_room(self) -> bool:
        return self._limit is None or self._busy < self._limit

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            turn, _ = self._waiting.popitem(last=False)
            # A cancelled waiter takes itself off the queue only when it next runs.
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
