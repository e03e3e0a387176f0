"""When all has to be over: at a moment, or as soon as the call is told to end."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

_T = TypeVar("_T")


class Stop:
    """Tells calls to end as soon as they can. One may be shared by many calls.

    What is on the wire goes on until its own end. Every wait ends at once, and nothing is sent any
    more but the one last look of what is in doubt.

    Attributes:
        requested: whether the calls are told to end.

    """

    __slots__ = ("_waits", "requested")

    def __init__(self) -> None:
        """Begin with calls that may take their time."""
        self.requested = False
        self._waits: set[asyncio.Timeout] = set()

    def request(self) -> None:
        """Tell all calls to end. To be called from the loop in which they run."""
        self.requested = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(0)

    async def wait_for(self, waited: Awaitable[_T], seconds: float | None = None) -> _T:
        """Wait for something until it comes, the time is over or the calls are told to end.

        Raises:
            TimeoutError: it did not come before.

        """
        async with asyncio.timeout(0 if self.requested else seconds) as wait:
            self._waits.add(wait)
            try:
                return await waited
            finally:
                self._waits.discard(wait)

    async def pause(self, sleep: Awaitable[None]) -> None:
        """Wait until a sleep is over, or the calls are told to end."""
        with suppress(TimeoutError):
            await self.wait_for(sleep)


NEVER: Final = Stop()
"""For calls that nobody tells to end."""


class Deadline:
    """A moment, so many seconds from now.

    A patient one moves on by the time for which the client is held in an outage.

    Attributes:
        stop: tells the call to end before.
        in_doubt: whether an attempt of the call that ends then may have taken effect without a
            known outcome. Whoever cancels the call reads it afterwards.
        limited: how many 429s the call got while the service accepted other requests.
        limited_at: when the request was sent that got the latest 429.

    """

    __slots__ = ("_held", "_moment", "_now", "in_doubt", "limited", "limited_at", "stop")

    def __init__(
        self,
        now: Callable[[], float],
        seconds: float,
        held: Callable[[], float] | None = None,
        stop: Stop = NEVER,
    ) -> None:
        """Set it.

        Args:
            now: seconds on a clock that never goes back.
            seconds: how much time there is.
            held: the seconds of all outages so far, to make it patient.
            stop: tells the call to end before.

        """
        self._now = now
        self._held = held
        self.stop = stop
        self.in_doubt = False
        self.limited = 0
        self.limited_at = math.inf
        self._moment = now() + seconds
        if held is not None:
            self._moment -= held()

    @property
    def patient(self) -> bool:
        """Whether it moves on in an outage."""
        return self._held is not None

    def clock(self) -> float:
        """Return the seconds that have passed for it: those of an outage have not."""
        return self._now() - (0.0 if self._held is None else self._held())

    def excuse(self, since: float) -> None:
        """Move a patient one on by the time that has passed since `clock` said so."""
        if self._held is not None:
            self._moment += self.clock() - since

    def remaining(self) -> float:
        """Return the seconds until then; 0 or below when it is over, or the call is to end."""
        if self.stop.requested:
            return 0.0
        left = self._moment - self._now()
        return left if self._held is None else left + self._held()
