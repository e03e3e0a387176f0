"""Private: `Clock`, the source of time, sleep and random numbers for the whole library."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import attrs


@attrs.frozen(kw_only=True)
class Clock:
    """The source of time, sleep and random numbers.

    Tests pass their own, so that an hour of back-off takes a millisecond and every run is the same.
    """

    now: Callable[[], float] = time.monotonic
    """Seconds on a monotonic clock."""
    cpu_time: Callable[[], float] = time.thread_time
    """Seconds of CPU time of this thread."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since 1970, for a `Retry-After` with a date."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Wait for so many seconds."""
    random: Callable[[], float] = random.random
    """A random number from 0 up to, but not including, 1."""
