"""The pace of a limiter after a 429, in simulated time."""

import asyncio
from itertools import pairwise

import pytest

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from restream_async._load.rate_limit import RateLimit
from tests.helpers.limiter_steps import (
    accept,
    fall,
    find_rate,
    limiter_of,
    pass_through,
    refuse,
)
from tests.helpers.simulated_time import now, simulated, simulated_clock


class TestPace:
    """After a 429 nothing is sent for a while, then one request asks, then they go one by one."""

    @simulated
    async def test_one_request_is_sent_when_the_pause_is_over(self) -> None:
        limiter = limiter_of()
        refused = await refuse(limiter)
        assert not limiter.has_slot
        assert not limiter.try_acquire()
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0.99)
        assert (limiter.in_flight, limiter.waiting) == (0, 5)
        await asyncio.sleep(10)
        assert (limiter.in_flight, limiter.waiting) == (1, 4)
        assert not limiter.try_acquire()
        limiter.release(Signal.GOOD, 10, "POST", refused + 1)
        await asyncio.wait(tasks)
        await limiter.close()

    @simulated
    async def test_a_retry_after_that_is_shorter_is_enough(self) -> None:
        limiter = limiter_of()
        refused = await refuse(limiter, retry_after=0.25)
        await limiter.acquire()
        assert now() - refused == pytest.approx(0.25)

    @simulated
    async def test_a_retry_after_of_0_is_ignored(self) -> None:
        limiter = limiter_of()
        log = [await refuse(limiter, retry_after=0.0) for _ in range(5)]
        pauses = [later - before - 0.01 for before, later in pairwise(log)]
        assert pauses == pytest.approx([1, 2, 4, 8])

    @simulated
    async def test_requests_go_one_by_one_at_the_rate(self) -> None:
        limiter = limiter_of()
        await find_rate(limiter)
        log: list[float] = []
        await asyncio.gather(*[accept(limiter, log) for _ in range(20)])
        gaps = [later - before for before, later in pairwise(log)]
        assert min(gaps) > 0.5
        assert max(gaps) < 2
        await limiter.close()

    @simulated
    async def test_the_first_rate_is_that_of_the_latest_rounds_of_answers(self) -> None:
        """And not of all the time that the client has been there."""
        limiter = limiter_of()
        for _ in range(2):
            await asyncio.sleep(1000)
            for _ in range(200):
                await accept(limiter)
        await refuse(limiter)
        await accept(limiter)
        log: list[float] = []
        await asyncio.gather(*[accept(limiter, log) for _ in range(4)])
        gaps = [later - before for before, later in pairwise(log)]
        assert 1 / 100 < min(gaps) <= max(gaps) < 1 / 25
        await limiter.close()

    @simulated
    async def test_listeners_are_called_when_the_next_request_is_due(self) -> None:
        limiter = limiter_of()
        due: list[float] = []

        def note() -> None:
            if limiter.has_slot:
                due.append(now())

        limiter.slot_listeners.add(note)
        refused = await refuse(limiter)
        await asyncio.sleep(0.5)
        assert due == []
        await asyncio.sleep(10)
        assert due == pytest.approx([refused + 1])
        # While a request asks, nobody knows when the next one is due.
        await limiter.acquire()
        started = now()
        await asyncio.sleep(10)
        assert len(due) == 1
        limiter.release(Signal.GOOD, 10, "POST", started)
        assert not limiter.has_slot
        while not limiter.has_slot:  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.001)
        assert due[1:] == pytest.approx([now()], abs=0.003)
        await limiter.close()

    @simulated
    async def test_the_next_request_is_due_although_the_latest_has_no_answer(self) -> None:
        limiter = limiter_of()
        await find_rate(limiter)
        await asyncio.sleep(10)
        told: list[bool] = []
        limiter.slot_listeners.add(lambda: told.append(limiter.has_slot))
        assert limiter.try_acquire()
        await asyncio.sleep(2)
        assert told == [True]
        await limiter.close()

    @simulated
    async def test_answers_of_earlier_requests_do_not_call_listeners_during_the_pause(
        self,
    ) -> None:
        limiter = limiter_of()
        started = now()
        for _ in range(3):
            await limiter.acquire()
        told: list[float] = []
        limiter.slot_listeners.add(lambda: told.append(now()))
        refused = await refuse(limiter)
        for _ in range(3):
            await asyncio.sleep(0.1)
            limiter.release(Signal.GOOD, now() - started, "POST", started)
        await asyncio.sleep(2)
        assert told == pytest.approx([refused + 1])
        await limiter.close()

    @simulated
    async def test_a_timer_that_wakes_up_early_is_set_again(self) -> None:
        """The timers of an event loop may be early by as much as its clock is coarse."""

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds * 0.9)

        time = simulated_clock()
        outage = CircuitBreaker(60, time.now, time.random)
        limiter = ConcurrencyLimiter(AdaptiveLimit(8), RateLimit(time.now), outage, sleep)
        told: list[bool] = []
        limiter.slot_listeners.add(lambda: told.append(limiter.has_slot))
        await refuse(limiter)
        await asyncio.sleep(1.01)
        assert told[0] is False
        assert told[-1] is True
        limiter.slot_listeners.clear()
        refused = await refuse(limiter)
        await limiter.acquire()
        assert now() - refused >= 2
        await limiter.close()

    @simulated
    @pytest.mark.parametrize("early", range(1, 9))
    async def test_a_request_may_become_due_between_two_looks_at_the_clock(
        self, early: int
    ) -> None:
        """A run under uvloop stood still for ever, after a timer that was a little too early."""
        looks = 0

        def passing() -> float:
            nonlocal looks
            looks += 1
            return now() + looks / 1_000_000

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds - early / 1_000_000)

        outage = CircuitBreaker(60, passing, simulated_clock().random)
        limiter = ConcurrencyLimiter(AdaptiveLimit(8), RateLimit(passing), outage, sleep)
        await refuse(limiter)
        async with asyncio.timeout(5):
            await limiter.acquire()
        await limiter.close()

    @simulated
    @pytest.mark.parametrize("how", ["without an answer", "unsent"])
    async def test_after_a_probe_without_an_answer_the_next_request_probes(self, how: str) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        await limiter.acquire()
        started = now()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(5)
        assert not waiting.done()
        if how == "unsent":
            limiter.release()
        else:
            limiter.release(latency=5, started=started)
        async with asyncio.timeout(0.001):
            await waiting
        await limiter.close()

    @simulated
    async def test_after_a_probe_that_is_cancelled_at_its_turn_the_next_request_probes(
        self,
    ) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(0)
        while not limiter.in_flight:  # noqa: ASYNC110 - told, it would be too late
            # Between two of these sleeps there is never more than one step of the loop.
            await asyncio.sleep(0 if now() >= 1 else 0.1)
        tasks[0].cancel()
        async with asyncio.timeout(0.001):
            await tasks[1]
        assert tasks[0].cancelled()
        assert (limiter.in_flight, limiter.waiting) == (1, 0)
        await limiter.close()

    @simulated
    async def test_after_all_are_cancelled_before_their_turn_a_later_request_probes(self) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(0)
        # The pause ends between the cancellation and its arrival.
        loop = asyncio.get_running_loop()
        for task in tasks:
            loop.call_at(now() + 1, task.cancel)
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        async with asyncio.timeout(1):
            await limiter.acquire()
        await limiter.close()

    @simulated
    async def test_a_turn_that_all_requests_have_given_up_goes_to_a_later_request(
        self,
    ) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        await limiter.acquire()
        started = now()
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(5)
        for task in tasks:
            task.cancel()
        limiter.release(latency=5, started=started)
        assert (limiter.in_flight, limiter.waiting) == (0, 0)
        await asyncio.wait(tasks)
        async with asyncio.timeout(0.001):
            await limiter.acquire()
        await limiter.close()

    @simulated
    async def test_an_earlier_request_that_is_cancelled_does_not_end_the_pause(self) -> None:
        limiter = limiter_of()
        await limiter.acquire()
        started = now()
        await refuse(limiter)
        waiting = asyncio.create_task(limiter.acquire())
        limiter.release(latency=0.01, started=started)
        await asyncio.sleep(0.9)
        assert not waiting.done()
        await waiting
        await limiter.close()

    @simulated
    async def test_an_earlier_request_that_is_cancelled_does_not_allow_a_second_probe(self) -> None:
        limiter = limiter_of()
        await limiter.acquire()
        started = now()
        await refuse(limiter)
        await limiter.acquire()
        limiter.release(latency=now() - started, started=started)
        await asyncio.sleep(60)
        assert not limiter.try_acquire()

    @simulated
    async def test_an_unsent_request_does_not_end_the_pause(self) -> None:
        limiter = limiter_of()
        await limiter.acquire()
        await refuse(limiter)
        limiter.release()
        await asyncio.sleep(0.9)
        assert not limiter.try_acquire()
        await asyncio.sleep(0.2)
        assert limiter.try_acquire()
        await limiter.close()

    @simulated
    async def test_when_the_next_request_is_due_earlier_the_timer_moves_forward(self) -> None:
        limiter = limiter_of()
        await limiter.acquire()
        refused = await refuse(limiter)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        # Nothing else shortens a pause at a given moment.
        rate = limiter._rate  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        rate._next = refused + 0.25  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        limiter.release()
        await waiting
        assert now() - refused == pytest.approx(0.25)
        await limiter.close()

    @simulated
    async def test_a_cancelled_timer_is_set_again_for_waiting_requests(self) -> None:
        limiter = limiter_of()
        refused = await refuse(limiter)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        [timer] = asyncio.all_tasks() - {asyncio.current_task(), waiting}
        timer.cancel()
        await waiting
        assert now() - refused == pytest.approx(1)
        await limiter.close()

    @simulated
    async def test_code_that_cancels_all_tasks_finds_no_new_one(self) -> None:
        """The loop may be ending."""
        limiter = limiter_of()
        refused = await refuse(limiter)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)
        assert waiting.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await limiter.acquire()
        assert now() - refused == pytest.approx(1)
        await limiter.close()

    @simulated
    async def test_in_an_outage_there_are_probes_only(self) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        await fall(limiter)
        log: list[float] = []
        tasks = [asyncio.create_task(pass_through(limiter, log, good=False)) for _ in range(9)]
        await asyncio.sleep(20)
        assert 4 <= len(log) <= 8
        await limiter.close()
        await asyncio.wait(tasks)

    @simulated
    async def test_the_probe_that_ends_an_outage_has_taken_a_turn(self) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        await accept(limiter)
        await fall(limiter)
        await limiter.acquire()
        limiter.succeeded()
        limiter.release(Signal.GOOD, 0.0, "POST", now())
        assert not limiter.try_acquire()
        await asyncio.sleep(2)
        assert limiter.try_acquire()
        await limiter.close()

    @simulated
    async def test_closing_lets_all_requests_through_and_leaves_no_timer(self) -> None:
        limiter = limiter_of()
        await refuse(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        closed = now()
        await limiter.close()
        await asyncio.gather(*tasks)
        assert now() == closed
        limiter.release(Signal.LIMITED, 0.0, "", now())
        assert limiter.has_slot
        assert limiter.try_acquire()
        assert asyncio.all_tasks() == {asyncio.current_task()}
