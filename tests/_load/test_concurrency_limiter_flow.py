"""A limiter that learns: its limit, places that rest, and outages; in simulated time."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from restream_async._load.adaptive_limit import AdaptiveLimit, Signal
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter, GivenUpError
from restream_async._load.rate_limit import RateLimit
from tests.helpers.simulated_service import SHED
from tests.helpers.simulated_time import now, simulated, simulated_clock


def limiter_of(*, ceiling: int = 64, patience: float = 300.0) -> ConcurrencyLimiter:
    return ConcurrencyLimiter.adaptive(ceiling, patience, simulated_clock())


async def answers(
    limiter: ConcurrencyLimiter, count: int, signal: Signal = Signal.GOOD, latency: float = 0.05
) -> None:
    """Let so many go through, as many at once as may, and get such an answer."""
    while count:
        through = 0
        while through < count and limiter.try_acquire():
            through += 1
        assert through, "nobody is let through"
        started = now()
        await asyncio.sleep(latency)
        for _ in range(through):
            limiter.release(signal, latency, "POST", started)
        count -= through


async def fall(limiter: ConcurrencyLimiter) -> None:
    """Let the service be gone: ten failures within a second."""
    for _ in range(10):
        limiter.failed(SHED.error)
        await asyncio.sleep(1 / 9)
    assert limiter.state == "open"


async def pass_through(limiter: ConcurrencyLimiter, log: list[float], *, good: bool) -> None:
    await limiter.acquire()
    log.append(now())
    await asyncio.sleep(0.01)
    if good:
        limiter.succeeded()
    else:
        limiter.failed(SHED.error)
    limiter.release(Signal.GOOD if good else None, 0.01, "POST", now() - 0.01)


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
    async def test_who_waits_is_let_in_as_soon_as_the_limit_grows(self) -> None:
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
    async def test_places_that_are_given_back_without_a_word_teach_nothing(self) -> None:
        limiter = limiter_of()
        for _ in range(1000):
            assert limiter.try_acquire()
            limiter.release()
        await answers(limiter, 5, latency=0.01)
        assert limiter.limit == 64
        assert limiter.idle_latency("POST") == 0.0, "five answers are no round"

    @simulated
    async def test_after_shedding_fewer_are_let_through(self) -> None:
        limiter = limiter_of()
        await answers(limiter, 200, Signal.SHED, latency=1)
        assert limiter.limit < 64
        through = 0
        while limiter.try_acquire():
            through += 1
        assert through == limiter.limit


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
        await limiter.close()

    @simulated
    async def test_who_could_use_it_is_told(self) -> None:
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


class TestOutage:
    """Nobody is let through but a probe now and then."""

    @simulated
    async def test_it_is_said(self) -> None:
        limiter = limiter_of()
        assert limiter.state == "closed"
        await fall(limiter)
        assert not limiter.try_acquire()
        assert not limiter.has_slot
        assert limiter.outage_seconds() == pytest.approx(now() - 1)

    @simulated
    async def test_those_who_wait_ask_one_at_a_time_at_growing_intervals(self) -> None:
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
    async def test_while_one_asks_no_other_does(self) -> None:
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
    async def test_who_asks_and_is_cancelled_leaves_it_to_the_next(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(10)
        assert not waiting.done()
        limiter.release()  # as a cancelled attempt does
        await waiting
        assert limiter.state == "open"

    @simulated
    async def test_who_only_tries_may_ask_when_it_is_time(self) -> None:
        limiter = limiter_of()
        await fall(limiter)
        assert not limiter.try_acquire()
        await asyncio.sleep(0.5)
        assert limiter.try_acquire()
        assert not limiter.try_acquire()

    @simulated
    async def test_the_first_success_lets_them_in_slowly(self) -> None:
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
    async def test_when_patience_ends_all_who_wait_are_sent_away(self) -> None:
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
    def test_who_is_cancelled_in_the_moment_of_being_sent_away_leaves_nothing(
        self, moment: int
    ) -> None:
        @simulated
        async def scene() -> None:
            over = asyncio.Event()

            async def sleep(_: float) -> None:
                await over.wait()

            time = simulated_clock()
            limiter = ConcurrencyLimiter(
                AdaptiveLimit(8),
                RateLimit(time.now),
                CircuitBreaker(60, time.now, time.random),
                sleep,
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
    async def test_who_comes_right_after_is_sent_away_at_once_unless_it_is_time_to_ask(
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
    async def test_who_comes_after_a_quiet_time_waits_for_the_first_to_ask(self) -> None:
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
    async def test_who_asks_for_long_and_is_cancelled_does_not_prolong_it(self) -> None:
        limiter = limiter_of(patience=60)
        await fall(limiter)
        for _ in range(5):
            await limiter.acquire()
            await asyncio.sleep(15)
            limiter.release()
        assert limiter.given_up

    @simulated
    async def test_patience_ends_while_somebody_asks_and_gets_no_answer(self) -> None:
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
    async def test_what_was_sent_before_it_comes_back_without_letting_another_ask(self) -> None:
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
    async def test_timers_that_somebody_cancels_are_set_again(self) -> None:
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
    async def test_who_is_left_waiting_when_somebody_cancels_the_timers_is_not_forgotten(
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


async def refuse(limiter: ConcurrencyLimiter, *, retry_after: float | None = None) -> float:
    """Let one request get a 429; return the moment."""
    await limiter.acquire()
    started = now()
    await asyncio.sleep(0.01)
    limiter.release(Signal.LIMITED, 0.01, "", started, retry_after)
    return now()


async def accept(limiter: ConcurrencyLimiter, log: list[float] | None = None) -> None:
    """Let one request get a good answer."""
    await limiter.acquire()
    started = now()
    if log is not None:
        log.append(started)
    await asyncio.sleep(0.01)
    limiter.release(Signal.GOOD, 0.01, "POST", started)


async def find_rate(limiter: ConcurrencyLimiter) -> None:
    """Let the limiter know a rate of about one request a second."""
    await refuse(limiter)
    await accept(limiter)
    await refuse(limiter)
    await accept(limiter)


class TestPace:
    """After a 429 nothing is sent for a while, then one request asks, then they go one by one."""

    @simulated
    async def test_one_request_asks_when_the_pause_is_over(self) -> None:
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
    async def test_one_of_no_time_at_all_is_none(self) -> None:
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
    async def test_who_could_use_a_slot_is_told_when_the_next_request_is_due(self) -> None:
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
    async def test_one_that_asks_and_ends_without_an_answer_lets_the_next_ask(
        self, how: str
    ) -> None:
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
    async def test_one_that_is_cancelled_in_the_moment_of_its_turn_lets_the_next_ask(self) -> None:
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
    async def test_when_all_are_cancelled_before_their_turn_a_later_one_asks(self) -> None:
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
    async def test_a_slot_that_all_have_given_up_in_the_same_moment_is_not_asked_with(
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
    async def test_what_was_sent_before_the_pause_and_is_cancelled_does_not_end_it(self) -> None:
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
    async def test_nor_does_it_let_a_second_one_ask(self) -> None:
        limiter = limiter_of()
        await limiter.acquire()
        started = now()
        await refuse(limiter)
        await limiter.acquire()
        limiter.release(latency=now() - started, started=started)
        await asyncio.sleep(60)
        assert not limiter.try_acquire()

    @simulated
    async def test_nor_does_an_unsent_one(self) -> None:
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
    async def test_a_timer_that_somebody_cancels_is_set_again_for_who_is_left(self) -> None:
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
    async def test_whoever_ends_all_tasks_finds_no_new_one(self) -> None:
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
    async def test_closing_lets_everybody_through_and_leaves_no_timer(self) -> None:
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


class TestTurns:
    """New items and all other requests take turns."""

    @staticmethod
    async def _order(names: str) -> str:
        """Return the order in which those are let through who come in this one; f: fresh."""
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        log: list[str] = []

        async def enter(name: str) -> None:
            await limiter.acquire(fresh=name == "f", ahead=name == "a")
            log.append(name)

        tasks: list[asyncio.Task[None]] = []
        for name in names:
            tasks.append(asyncio.create_task(enter(name)))
            await asyncio.sleep(0)
        assert limiter.waiting == len(names)
        for _ in names:
            limiter.release()
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert (limiter.waiting, limiter.in_flight) == (0, 1)
        return "".join(log)

    @simulated
    @pytest.mark.parametrize(
        ("come", "let_in"),
        [
            ("rrrfff", "rfrfrf"),
            ("fffrrr", "rfrfrf"),
            ("rrrrf", "rfrrr"),
            ("ffffr", "rffff"),
            ("fff", "fff"),
            ("rffa", "afrf"),
        ],
    )
    async def test_whatever_the_order_in_which_they_come(self, come: str, let_in: str) -> None:
        assert await self._order(come) == let_in

    @simulated
    async def test_who_goes_ahead_does_so_where_it_is_the_turn_of_a_new_item(self) -> None:
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        first, new = (asyncio.create_task(limiter.acquire(fresh=n == 1)) for n in range(2))
        await asyncio.sleep(0)
        limiter.release()
        ahead = asyncio.create_task(limiter.acquire(ahead=True))
        await asyncio.sleep(0)
        limiter.release()
        await asyncio.sleep(0)
        assert (first.done(), new.done(), ahead.done()) == (True, False, True)
        limiter.release()
        await new

    @simulated
    async def test_new_items_without_end_leave_the_others_their_turn(self) -> None:
        """However many runs there are, each of which asks again as soon as it is let through."""
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        through = 0

        async def run() -> None:
            nonlocal through
            while True:
                await limiter.acquire(fresh=True)
                through += 1

        runs = [asyncio.create_task(run()) for _ in range(5)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        for _ in range(10):
            limiter.release()
            await asyncio.sleep(0)
        assert all(other.done() for other in others)
        assert through == 5
        for task in runs:
            task.cancel()
        await asyncio.wait(runs)
        assert limiter.waiting == 0

    @simulated
    async def test_all_of_them_are_sent_away_when_patience_ends(self) -> None:
        limiter = limiter_of(patience=10)
        await fall(limiter)
        await limiter.acquire()
        tasks = [asyncio.create_task(limiter.acquire(fresh=n % 2 == 0)) for n in range(6)]
        alone = asyncio.create_task(limiter.acquire(patient=False))
        await asyncio.sleep(0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {GivenUpError}
        assert limiter.waiting == 1
        alone.cancel()
        await asyncio.wait([alone])
        assert limiter.waiting == 0
        await limiter.close()


class TestClosing:
    """Who waits is not left waiting."""

    @simulated
    async def test_everybody_is_let_through(self) -> None:
        limiter = limiter_of(ceiling=1)
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        await limiter.close()
        await asyncio.gather(*tasks)
        assert limiter.try_acquire()

    @simulated
    async def test_in_an_outage_too_and_no_timer_is_left(self) -> None:
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
    async def test_whoever_closes_it_may_be_cancelled_again_and_again(self) -> None:
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
