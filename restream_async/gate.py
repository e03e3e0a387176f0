"""How many requests may be in flight now: a limit, first come, first served."""

import asyncio
from collections import deque


class Gate:
    """Lets at most `limit` requests through at once, in the order in which they asked."""

    def __init__(self, limit: int) -> None:
        """Open with room for `limit` requests."""
        self._limit = limit
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many may be through at once."""
        return self._limit

    @property
    def in_flight(self) -> int:
        """How many are through now."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether a place is free, and nobody waits for it."""
        return self._in_flight < self._limit and not self._waiting

    def try_enter(self) -> bool:
        """Take a place if there is one. Each is given back with `leave`."""
        if self._in_flight >= self._limit or self._waiting:
            return False
        self._in_flight += 1
        return True

    async def enter(self) -> None:
        """Take a place; wait for one if there is none. Each is given back with `leave`."""
        if self.try_enter():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The place was handed over in the same moment: on to the next one.
                self.leave()
            elif turn in self._waiting:
                # Else `leave` has already passed over it.
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place back, or straight on to whoever has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._in_flight -= 1
