"""Private: when a call ends: at its deadline, or as soon as it is stopped."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

_T = TypeVar("_T")


class Stop:
    """Stops calls. Many calls may share one.

    A request that is on the wire goes on to its own end. Every wait ends at once, and nothing more
    is sent, except the final check of a creation in doubt.

    Attributes:
        requested: whether the calls are stopped.

    """

    __slots__ = ("_waits", "requested")

    def __init__(self) -> None:
        """Begin with nothing stopped."""
        self.requested = False
        self._waits: set[asyncio.Timeout] = set()

    def request(self) -> None:
        """Stop all calls. Must be called from their event loop."""
        self.requested = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(0)

    async def wait_for(self, awaited: Awaitable[_T], seconds: float | None = None) -> _T:
        """Wait for something, for at most so many seconds.

        Raises:
            TimeoutError: the time is over, or the calls are stopped.

        """
        async with asyncio.timeout(0 if self.requested else seconds) as wait:
            self._waits.add(wait)
            try:
                return await awaited
            finally:
                self._waits.discard(wait)

    async def pause(self, sleep: Awaitable[None]) -> None:
        """Wait until a sleep is over, or the calls are stopped."""
        with suppress(TimeoutError):
            await self.wait_for(sleep)


NEVER: Final = Stop()
"""For calls that nothing stops."""


class Deadline:
    """The moment at which a call ends, and what is known of the call until then.

    The deadline of a patient call moves on while there is an outage.

    Attributes:
        stop: stops the call earlier.
        in_doubt: whether an attempt may have taken effect without a known outcome. It is read
            after the call was cancelled.
        limited: how many 429s the call got while the service accepted other requests.
        limited_at: when the request was sent that got the latest 429.

    """

    __slots__ = ("_moment", "_now", "_outage_seconds", "in_doubt", "limited", "limited_at", "stop")

    def __init__(
        self,
        now: Callable[[], float],
        seconds: float,
        outage_seconds: Callable[[], float] | None = None,
        stop: Stop = NEVER,
    ) -> None:
        """Set it.

        Args:
            now: returns seconds on a monotonic clock.
            seconds: the time from now.
            outage_seconds: returns the seconds of all outages so far; makes the call patient.
            stop: stops the call earlier.

        """
        self._now = now
        self._outage_seconds = outage_seconds
        self.stop = stop
        self.in_doubt = False
        self.limited = 0
        self.limited_at = math.inf
        self._moment = now() + seconds
        if outage_seconds is not None:
            self._moment -= outage_seconds()

    @property
    def patient(self) -> bool:
        """Whether it moves on while there is an outage."""
        return self._outage_seconds is not None

    def remaining(self) -> float:
        """Return the seconds until then; 0 or less when it has passed or the call is stopped."""
        if self.stop.requested:
            return 0.0
        remaining = self._moment - self._now()
        return remaining if self._outage_seconds is None else remaining + self._outage_seconds()

    def restore(self, remaining: float) -> None:
        """Give a patient call the time back that it had before a wait that does not count."""
        if self.patient:
            self._moment += remaining - self.remaining()
