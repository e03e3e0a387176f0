"""The slots of a limiter that learns, in simulated time."""

import asyncio

import pytest

from restream_async._load.load_signal import Signal
from tests.helpers.limiter_steps import (
    answers,
    limiter_of,
)
from tests.helpers.simulated_time import now, simulated


class TestRest:
    """A place at which the service had no room rests for as long as an answer would take."""

    @simulated
    async def test_it_is_free_when_a_good_answer_would_have_come(self) -> None:
        limiter = limiter_of(ceiling=8)
        await answers(limiter, 30)
        start = now()
        assert limiter.try_acquire()
        limiter.release(Signal.SHED, 0.01, "POST", now())
        room = 0
        while limiter.try_acquire():
            room += 1
        assert (room, limiter.limit) == (7, 8)
        told: list[float] = []
        waiting = asyncio.create_task(limiter.acquire())
        waiting.add_done_callback(lambda _: told.append(now() - start))
        await asyncio.sleep(1)
        assert told == pytest.approx([0.04])
        while limiter.try_acquire():
            room += 1
        assert limiter.in_flight == 8
        await limiter.close()

    @simulated
    async def test_listeners_are_called_when_it_is_free(self) -> None:
        limiter = limiter_of(ceiling=8)
        await answers(limiter, 30)
        start = now()
        told: list[float] = []
        limiter.slot_listeners.add(lambda: told.append(now() - start))
        assert limiter.try_acquire()
        limiter.release(Signal.SHED, 0.01, "POST", now())
        await asyncio.sleep(1)
        assert told == pytest.approx([0.04])

    @simulated
    async def test_it_never_rests_for_long(self) -> None:
        limiter = limiter_of(ceiling=1)
        for _ in range(20):
            await answers(limiter, 1, latency=60)
        start = now()
        assert limiter.try_acquire()
        limiter.release(Signal.SHED, 0.01, "POST", now())
        assert not limiter.try_acquire()
        await limiter.acquire()
        assert now() - start == pytest.approx(5)

    @simulated
    async def test_a_slow_refusal_needs_no_rest(self) -> None:
        """A time-out has taken its time already."""
        limiter = limiter_of(ceiling=1)
        await answers(limiter, 20)
        assert limiter.try_acquire()
        limiter.release(Signal.SHED, 30, "POST", now())
        assert limiter.try_acquire()
