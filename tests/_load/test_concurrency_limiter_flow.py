"""A limiter that learns its limit, and closes; in simulated time."""

import asyncio

import attrs
import pytest

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from tests.helpers.limiter_steps import (
    answers,
    fall,
    limiter_of,
)
from tests.helpers.simulated_time import now, simulated, simulated_clock


class TestLearning:
    """The limit follows from what the answers say."""

    @simulated
    @pytest.mark.parametrize(("ceiling", "limit"), [(256, 64), (64, 64), (20, 20), (1, 1)])
    async def test_it_begins_at_its_ceiling_up_to_64(self, ceiling: int, limit: int) -> None:
        limiter = limiter_of(ceiling=ceiling)
        assert (limiter.limit, limiter.ceiling) == (limit, ceiling)
        through = 0
        while limiter.try_acquire():
            through += 1
        assert (through, limiter.in_flight) == (limit, limit)

    @simulated
    async def test_it_grows_up_to_the_ceiling(self) -> None:
        limiter = limiter_of(ceiling=200)
        await answers(limiter, 3000)
        assert (limiter.limit, limiter.in_flight) == (200, 0)

    @simulated
    async def test_waiting_requests_get_slots_as_soon_as_the_limit_grows(self) -> None:
        limiter = limiter_of(ceiling=200)
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(2000)]
        entered = set[tuple[int, int]]()
        while limiter.waiting or not entered:
            started = now()
            await asyncio.sleep(0.05)
            for _ in range(limiter.in_flight):
                limiter.release(Signal.GOOD, 0.05, "POST", started)
                if limiter.waiting:
                    entered.add((limiter.limit, limiter.in_flight))
        assert {limit for limit, _ in entered} == {64, 128, 200}
        assert all(limit == in_flight for limit, in_flight in entered)
        await asyncio.wait(waiting)

    @simulated
    async def test_slots_that_are_released_without_a_signal_teach_nothing(self) -> None:
        limiter = limiter_of()
        for _ in range(1000):
            assert limiter.try_acquire()
            limiter.release()
        await answers(limiter, 5, latency=0.01)
        assert limiter.limit == 64
        assert limiter.idle_latency("POST") == 0.0, "five answers are no round"

    @simulated
    async def test_after_refusals_fewer_slots_are_handed_out(self) -> None:
        limiter = limiter_of()
        await answers(limiter, 200, Signal.SHED, latency=1)
        assert limiter.limit < 64
        through = 0
        while limiter.try_acquire():
            through += 1
        assert through == limiter.limit


@simulated
@pytest.mark.parametrize("fresh", [False, True])
async def test_a_new_request_does_not_overtake_one_that_waits_for_a_probe(*, fresh: bool) -> None:
    async def sleep(_: float) -> None:
        await asyncio.Event().wait()

    limiter = ConcurrencyLimiter.adaptive(8, 300.0, attrs.evolve(simulated_clock(), sleep=sleep))
    await fall(limiter)
    waiting = asyncio.create_task(limiter.acquire(fresh=fresh))
    # The probe is due, and the timer late.
    await asyncio.sleep(1)
    assert not limiter.try_acquire()
    await limiter.close()
    await waiting


class TestClosing:
    """Who waits is not left waiting."""

    @simulated
    async def test_all_waiting_requests_get_slots(self) -> None:
        limiter = limiter_of(ceiling=1)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        await limiter.close()
        await asyncio.gather(*tasks)
        assert limiter.try_acquire()

    @simulated
    async def test_all_get_slots_in_an_outage_too_and_no_timer_is_left(self) -> None:
        limiter = limiter_of(ceiling=8)
        await answers(limiter, 30)
        await fall(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        await limiter.close()
        await asyncio.gather(*tasks)
        limiter.release(Signal.SHED, 0.0, "POST")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert limiter.try_acquire()

    @simulated
    async def test_closing_may_be_cancelled_again_and_again(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(limiter.close())
        await asyncio.sleep(0)
        for _ in range(3):
            closing.cancel()
            await asyncio.sleep(0)
        assert closing.cancelled()
        await asyncio.gather(*tasks)
        assert asyncio.all_tasks() == {asyncio.current_task()}
