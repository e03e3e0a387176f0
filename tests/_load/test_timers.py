"""The timers of a limiter, in simulated time."""

import asyncio
import weakref

from restream_async._load.timers import Timers
from tests.helpers.simulated_time import simulated


@simulated
async def test_nothing_is_kept_of_a_timer_that_has_ended() -> None:
    ends: list[bool] = []
    timers = Timers(asyncio.sleep)
    timer = weakref.ref(timers.after(1.0, lambda: ends.append(True)))
    await asyncio.sleep(2)
    assert ends == [True]
    assert timer() is None
