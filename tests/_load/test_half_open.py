"""Outages: probes, and requests that wait for them, in simulated time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise

import attrs
import pytest

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from restream_async._load.rate_limit import RateLimit
from restream_async._load.wait_queue import GivenUpError
from tests.helpers.limiter_steps import (
    answers,
    fall,
    limiter_of,
    pass_through,
)
from tests.helpers.simulated_service import SHED
from tests.helpers.simulated_time import now, simulated, simulated_clock


def sleep_until(over: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    """Return a sleep that lasts until the event is set."""

    async def sleep(_: float) -> None:
        await over.wait()

    return sleep


class TestOutage:
    """Nobody is let through but a probe now and then."""

    @simulated
    async def test_the_state_is_open_and_no_slot_is_free(self) -> None:
        limiter = limiter_of()
        assert limiter.state == "closed"
        await fall(limiter)
        assert not limiter.try_acquire()
        assert not limiter.has_slot
        assert limiter.outage_seconds() == pytest.approx(now() - 1)

    @simulated
    async def test_a_warning_is_logged_when_it_begins_and_when_it_ends(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        limiter = limiter_of()
        await answers(limiter, 1)
        assert caplog.records == []
        await fall(limiter)
        limiter.succeeded()
        limiter.succeeded()
        open_, closed = caplog.records
        assert open_.getMessage().startswith("circuit breaker open, only probes are sent: ")
        assert closed.getMessage() == "circuit breaker closed, the service answers again"
        assert {record.levelno for record in caplog.records} == {logging.WARNING}
        assert [vars(each)["restream_circuit_breaker"] for each in (open_, closed)] == [
            "open",
            "closed",
        ]
        assert vars(open_)["restream_error"] == "BackendFetchFailedError"

    @simulated
    async def test_waiting_requests_probe_one_at_a_time_at_growing_intervals(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        start = now()
        log: list[float] = []
        tasks = [asyncio.create_task(pass_through(limiter, log, good=False)) for _ in range(20)]
        await asyncio.sleep(30)
        waits = [later - before for before, later in zip([start, *log], log, strict=False)]
        assert 0.1 < waits[0] <= 0.5
        bounds = [1, 2, 4, 5, 5, 5]
        for wait, longest in zip(waits[1:], bounds, strict=False):
            assert longest / 2 <= wait <= longest
        assert 6 <= len(log) <= 11
        assert limiter.state == "open"
        await limiter.close()
        await asyncio.wait(tasks)

    @simulated
    async def test_requests_do_not_wait_for_a_timer_that_other_code_has_cancelled(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        # A patient request would set a second timer, for the outage timeout.
        task = asyncio.create_task(limiter.acquire(patient=False))
        await asyncio.sleep(0)
        [timer] = asyncio.all_tasks() - {task, asyncio.current_task()}
        timer.cancel()
        await asyncio.wait_for(task, 10)
        await limiter.close()

    @simulated
    async def test_there_is_one_probe_at_a_time(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(60)
        assert limiter.in_flight == 1
        assert not limiter.try_acquire()
        limiter.failed(SHED.error)
        limiter.release()
        await asyncio.sleep(0)
        assert limiter.in_flight == 1, "now the next one may"
        await waiting

    @simulated
    @pytest.mark.parametrize("seconds", [0, 10])
    async def test_after_a_cancelled_probe_the_next_request_probes(self, seconds: int) -> None:
        limiter = limiter_of()
        await fall(limiter)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(seconds)
        assert not waiting.done()
        limiter.release()  # as a cancelled attempt does
        async with asyncio.timeout(1):
            await waiting
        assert limiter.state == "open"

    @pytest.mark.parametrize("moment", range(5))
    def test_after_all_are_cancelled_as_a_probe_is_due_a_later_request_probes(
        self, moment: int
    ) -> None:
        @simulated
        async def scene() -> None:
            over = asyncio.Event()
            clock = attrs.evolve(simulated_clock(), sleep=sleep_until(over))
            limiter = ConcurrencyLimiter.adaptive(8, 300.0, clock)
            await fall(limiter)
            tasks = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
            await asyncio.sleep(1)
            over.set()
            for _ in range(moment):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    limiter.release()
            await asyncio.sleep(5)
            assert limiter.try_acquire()
            await limiter.close()

        scene()

    @simulated
    async def test_try_acquire_may_probe_when_a_probe_is_due(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        assert not limiter.try_acquire()
        await asyncio.sleep(0.5)
        assert limiter.try_acquire()
        assert not limiter.try_acquire()

    @simulated
    async def test_after_the_first_success_the_limit_grows_slowly(self) -> None:
        limiter = limiter_of()
        await answers(limiter, 500)
        await fall(limiter)
        log: list[float] = []
        told: list[int] = []
        limiter.slot_listeners.add(lambda: told.append(limiter.limit))
        tasks = [asyncio.create_task(pass_through(limiter, log, good=True)) for _ in range(40)]
        await asyncio.wait(tasks)
        assert limiter.state == "closed"
        assert told == [1]
        # Up to twice as many at once in each round.
        rounds = list(Counter(log).values())
        assert rounds[:3] == [1, 2, 4]
        assert all(later <= 2 * before for before, later in pairwise(rounds))

    @simulated
    async def test_after_an_outage_no_timer_is_left_although_requests_wait(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(1)
        assert limiter.in_flight == 1
        limiter.succeeded()
        await asyncio.sleep(0.1)
        assert (limiter.state, limiter.waiting) == ("closed", 4)
        waiting = {task for task in tasks if not task.done()}
        assert asyncio.all_tasks() == {asyncio.current_task(), *waiting}
        await limiter.close()
        await asyncio.wait(waiting)

    @simulated
    async def test_all_waiting_requests_are_given_up_at_the_outage_timeout(self) -> None:
        limiter = limiter_of(patience=42)
        await fall(limiter)
        began = now() - 1 / 9
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(50)]
        sent_away: list[float] = []
        for task in tasks:
            task.add_done_callback(lambda _: sent_away.append(now()))
        await asyncio.sleep(0)
        while limiter.waiting:
            await asyncio.sleep(0.001)
            if limiter.in_flight:
                limiter.failed(SHED.error)
                limiter.release()
        assert limiter.given_up
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(ends[-1], GivenUpError)
        assert sent_away[-1] == pytest.approx(began + 42, abs=0.01)

    @pytest.mark.parametrize("moment", range(5))
    def test_a_request_that_is_cancelled_as_it_is_given_up_leaves_nothing(
        self, moment: int
    ) -> None:
        @simulated
        async def scene() -> None:
            over = asyncio.Event()
            time = simulated_clock()
            limiter = ConcurrencyLimiter(
                AdaptiveLimit(8),
                RateLimit(time.now),
                CircuitBreaker(60, time.now, time.random),
                sleep_until(over),
            )
            await fall(limiter)
            await asyncio.sleep(1)
            await limiter.acquire()  # and asks for ever
            tasks = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
            await asyncio.sleep(60)
            over.set()
            for _ in range(moment):
                await asyncio.sleep(0)
            tasks[0].cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert type(ends[0]) in {asyncio.CancelledError, GivenUpError}
            assert [type(end) for end in ends[1:]] == [GivenUpError] * 2
            assert (limiter.in_flight, limiter.waiting) == (1, 0)

        scene()

    @simulated
    async def test_a_later_request_is_given_up_at_once_unless_a_probe_is_due(
        self,
    ) -> None:
        limiter = limiter_of(patience=10)
        await fall(limiter)
        log: list[float] = []
        while limiter.state == "open" and not limiter.given_up:
            try:
                await pass_through(limiter, log, good=False)
            except GivenUpError:
                break
        start = now()
        with pytest.raises(GivenUpError):
            limiter.acquire().send(None)
        assert now() == start
        await asyncio.sleep(5)
        await limiter.acquire()
        with pytest.raises(GivenUpError):
            limiter.acquire().send(None)
        limiter.succeeded()
        limiter.release()
        await limiter.acquire()

    @simulated
    async def test_requests_after_a_quiet_time_wait_for_the_first_probe(self) -> None:
        """Nobody knows whether the service is still gone."""
        limiter = limiter_of(patience=10)
        await fall(limiter)
        await asyncio.sleep(3600)
        log: list[float] = []
        tasks = [asyncio.create_task(pass_through(limiter, log, good=True)) for _ in range(50)]
        await asyncio.gather(*tasks)
        assert len(log) == 50
        assert limiter.state == "closed"

    @simulated
    async def test_a_long_probe_that_is_cancelled_does_not_prolong_the_outage(self) -> None:
        limiter = limiter_of(patience=60)
        await fall(limiter)
        for _ in range(5):
            await limiter.acquire()
            await asyncio.sleep(15)
            limiter.release()
        assert limiter.given_up

    @simulated
    async def test_a_waiting_request_whose_timer_is_late_does_not_prolong_the_outage(self) -> None:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds + 60)

        clock = attrs.evolve(simulated_clock(), sleep=sleep)
        limiter = ConcurrencyLimiter.adaptive(8, 60.0, clock)
        await fall(limiter)
        await limiter.acquire()
        assert limiter.given_up
        await limiter.close()

    @simulated
    async def test_the_outage_timeout_ends_while_a_probe_gets_no_answer(self) -> None:
        limiter = limiter_of(patience=40)
        await fall(limiter)
        began = now() - 1 / 9
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        alone = asyncio.create_task(limiter.acquire(patient=False))
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ends} == {GivenUpError}
        assert now() == pytest.approx(began + 40, abs=0.01)
        assert not alone.done()
        limiter.failed(SHED.error)
        limiter.release()
        await alone
        await limiter.close()

    @simulated
    async def test_the_outage_timeout_ends_also_where_timers_end_early(self) -> None:
        """As those of uvloop do."""
        clock = simulated_clock()

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(max(0.001, seconds - 0.001))

        limiter = ConcurrencyLimiter.adaptive(64, 40.0, attrs.evolve(clock, sleep=sleep))
        await fall(limiter)
        await limiter.acquire()
        with pytest.raises(GivenUpError):
            await limiter.acquire()
        await limiter.close()

    @simulated
    async def test_the_end_of_an_earlier_request_lets_no_second_probe_through(self) -> None:
        limiter = limiter_of()
        began = now()
        for _ in range(5):
            assert limiter.try_acquire()
        await fall(limiter)
        asking = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
        await asyncio.sleep(10)
        assert limiter.in_flight == 6
        for _ in range(5):
            limiter.failed(SHED.error)
            limiter.release(Signal.SHED, now() - began, "POST")
            await asyncio.sleep(6)
        assert [task.done() for task in asking] == [True, False, False, False]
        limiter.failed(SHED.error)
        limiter.release(Signal.SHED, 30.0, "POST")
        await asyncio.sleep(6)
        assert [task.done() for task in asking] == [True, True, False, False]
        await limiter.close()

    @simulated
    async def test_cancelled_timers_are_set_again(self) -> None:
        """A handler that ends all tasks of a loop ends those of the limiter as well."""
        limiter = limiter_of()
        await answers(limiter, 30)
        assert limiter.try_acquire()
        limiter.release(Signal.SHED, 0.0, "POST")
        assert not limiter.has_slot or limiter.limit > 1
        await fall(limiter)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        assert waiting in everything
        for task in everything:
            task.cancel()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "the loop may be ending"
        async with asyncio.timeout(10):
            await limiter.acquire()
        limiter.succeeded()
        limiter.release(Signal.GOOD, 0.05, "POST")
        assert [limiter.try_acquire() for _ in range(2)] == [True, False]
        await limiter.close()

    @simulated
    async def test_requests_still_wait_correctly_after_the_timers_are_cancelled(
        self,
    ) -> None:
        """Somebody may end all tasks but their own, and wait for a place of the limiter in that."""
        limiter = limiter_of(patience=60)
        await fall(limiter)
        began = now() - 1 / 9
        waits = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task(), *waits}
        assert len(others) == 2, "for the next probe, and for the end of patience"
        for task in others:
            task.cancel()
        async with asyncio.timeout(1):
            await waits[0]
        with pytest.raises(GivenUpError):
            await waits[1]
        assert now() == pytest.approx(began + 60, abs=0.01)

    @simulated
    async def test_the_state_is_right_after_several_outages(self) -> None:
        limiter = limiter_of()
        for _ in range(3):
            await fall(limiter)
            await limiter.acquire()
            limiter.succeeded()
            limiter.release(Signal.GOOD, 0.01, "POST")
            assert limiter.state == "closed"
            await asyncio.sleep(100)
        assert limiter.outage_seconds() == pytest.approx(3 * 0.5, abs=0.7)
