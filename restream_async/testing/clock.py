"""A clock whose sleeps take no time."""

import asyncio
import random

from restream_async._util.clock import Clock


def instant_clock(seed: int = 0) -> Clock:
    """Return a clock whose sleeps return at once and advance it, with seeded random numbers."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        # Other tasks run meanwhile, as in a real sleep.
        await asyncio.sleep(0)

    generator = random.Random(seed)  # noqa: S311 - jitter, not a secret
    return Clock(
        now=lambda: now,
        cpu_time=lambda: 0.0,
        wall_clock=lambda: now,
        sleep=sleep,
        random=generator.random,
    )
