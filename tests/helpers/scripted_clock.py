"""Time that passes only when somebody sleeps."""

import asyncio
from itertools import chain, repeat

from restream_async._util.clock import Clock


class ScriptedClock:
    """A clock, a sleep that advances it, and chances as they were put in."""

    def __init__(self, *chances: float) -> None:
        """Give these chances in turn, and then 1 for ever."""
        self.now = 1000.0
        self.slept: list[float] = []
        self._chances = chain(chances, repeat(1.0))

    def as_clock(self) -> Clock:
        return Clock(
            now=lambda: self.now,
            cpu_time=lambda: 0.0,
            wall_clock=lambda: self.now,
            sleep=self.sleep,
            random=lambda: next(self._chances),
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
