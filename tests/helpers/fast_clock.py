"""Clocks that save time: they run only during sleeps, only between them, or faster."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat
from typing import TYPE_CHECKING

from restream_async._util.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _nothing() -> None: ...


async def never() -> None:
    """Never return; given as `meanwhile`, no sleep of a clock ends."""
    await asyncio.Event().wait()


class FastClock:
    """Runs only during sleeps, which are noted and over at once.

    `chances` come in turn, and then 1 for ever. `meanwhile` is what happens in the world during a
    sleep.
    """

    def __init__(
        self, *chances: float, meanwhile: Callable[[], Awaitable[object]] = _nothing
    ) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []
        self.chances = chain(chances, repeat(1.0))
        self.meanwhile = meanwhile

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
        await self.meanwhile()

    def as_clock(self) -> Clock:
        return Clock(
            now=self.now,
            cpu_time=lambda: 0.0,
            wall_clock=self.now,
            sleep=self.sleep,
            random=lambda: next(self.chances),
        )


class SleeplessClock(FastClock):
    """Real time, but sleeps are noted and over at once, and do not count as time."""

    def as_clock(self) -> Clock:
        return Clock(sleep=self.sleep)


class FastForward:
    """Real time, only so many times as fast, so that a minute of an outage takes a moment."""

    def __init__(self, times: float) -> None:
        self._times = times

    def as_clock(self) -> Clock:
        loop = asyncio.get_running_loop()
        return Clock(
            now=lambda: loop.time() * self._times,
            sleep=lambda seconds: asyncio.sleep(seconds / self._times),
            random=lambda: 0.5,
        )
