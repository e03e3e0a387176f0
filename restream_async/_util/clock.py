"""Time, sleep and chance, handed in wherever the library needs them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import attrs


@attrs.frozen(kw_only=True)
class Timing:
    """Where the library takes time and chance from.

    Somebody who tests code that uses this library hands in their own, so that an hour of
    back-off takes a millisecond and comes out the same every time.
    """

    now: Callable[[], float] = time.monotonic
    """Seconds on a clock that never goes back."""
    computing: Callable[[], float] = time.thread_time
    """Seconds that this thread has spent computing."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since 1970, for a `Retry-After` that names a date."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for so many seconds."""
    random: Callable[[], float] = random.random
    """A number from 0 up to, not including, 1."""
