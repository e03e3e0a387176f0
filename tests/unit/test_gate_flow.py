"""A gate that learns: its limit, places that rest, and outages; in simulated time."""

import asyncio
from itertools import pairwise

import pytest

from restream_async.gate import Gate, GivenUpError
from restream_async.limit import AdaptiveLimit, Signal
from restream_async.outage import Outage
from tests.unit.service import SHED
from tests.unit.simulated_time import now, simulated, timing


def gate_of(*, ceiling: int = 64, patience: float = 300.0) -> Gate:
    return Gate.learning(ceiling, patience, timing())


def answers(gate: Gate, count: int, signal: Signal = Signal.GOOD, latency: float = 0.05) -> None:
    """Let so many go through, as many at once as may, and get such an answer."""
    while count:
        through = 0
        while through < count and gate.try_enter():
            through += 1
        assert through, "nobody is let through"
        for _ in range(through):
            gate.leave(signal, latency, "POST")
        count -= through


async def fall(gate: Gate) -> None:
    """Let the service be gone: ten failures within a second."""
    for _ in range(10):
        gate.failed(SHED)
        await asyncio.sleep(1 / 9)
    assert gate.state == "outage"


async def pass_through(gate: Gate, log: list[float], *, good: bool) -> None:
    await gate.enter()
    log.append(now())
    await asyncio.sleep(0.01)
    if good:
        gate.succeeded()
    else:
        gate.failed(SHED)
    gate.leave(Signal.GOOD if good else None, 0.01, "POST")


class TestLearning:
    """The limit follows from what the answers say."""

    @simulated
    async def test_it_begins_small_and_grows_up_to_the_ceiling(self) -> None:
        gate = gate_of(ceiling=64)
        assert (gate.limit, gate.ceiling) == (8, 64)
        answers(gate, 500)
        assert (gate.limit, gate.in_flight) == (64, 0)

    @simulated
    async def test_who_waits_is_let_in_as_soon_as_the_limit_grows(self) -> None:
        gate = gate_of()
        answers(gate, 8 + 7 + 8)
        waiting = [asyncio.create_task(gate.enter()) for _ in range(30)]
        await asyncio.sleep(0)
        entered: list[tuple[int, int]] = []
        while gate.in_flight:
            entered.append((gate.limit, gate.in_flight))
            gate.leave(Signal.GOOD, 0.05, "POST")
        assert (8, 8) in entered
        assert (16, 16) in entered
        await asyncio.wait(waiting)

    @simulated
    async def test_places_that_are_given_back_without_a_word_teach_nothing(self) -> None:
        gate = gate_of()
        for _ in range(1000):
            assert gate.try_enter()
            gate.leave()
        assert gate.limit == 8

    @simulated
    async def test_after_shedding_fewer_are_let_through(self) -> None:
        gate = gate_of()
        answers(gate, 500)
        answers(gate, 200, Signal.SHED, latency=1)
        assert gate.limit < 64
        through = 0
        while gate.try_enter():
            through += 1
        assert through == gate.limit


class TestRest:
    """A place at which the service had no room rests for as long as an answer would take."""

    @simulated
    async def test_it_is_free_when_a_good_answer_would_have_come(self) -> None:
        gate = gate_of()
        answers(gate, 30)
        assert gate.try_enter()
        gate.leave(Signal.SHED, 0.01, "POST")
        room = 0
        while gate.try_enter():
            room += 1
        assert room == gate.limit - 1
        told: list[float] = []
        waiting = asyncio.create_task(gate.enter())
        waiting.add_done_callback(lambda _: told.append(now()))
        await asyncio.sleep(1)
        assert told == pytest.approx([0.04])
        await gate.close()

    @simulated
    async def test_who_could_use_it_is_told(self) -> None:
        gate = gate_of()
        answers(gate, 30)
        told: list[float] = []
        gate.on_room.add(lambda: told.append(now()))
        assert gate.try_enter()
        gate.leave(Signal.SHED, 0.01, "POST")
        await asyncio.sleep(1)
        assert told == pytest.approx([0.04])

    @simulated
    async def test_it_never_rests_for_long(self) -> None:
        gate = gate_of(ceiling=1)
        for _ in range(20):
            answers(gate, 1, latency=60)
        assert gate.try_enter()
        gate.leave(Signal.SHED, 0.01, "POST")
        assert not gate.try_enter()
        await gate.enter()
        assert now() == pytest.approx(5)

    @simulated
    async def test_a_slow_refusal_needs_no_rest(self) -> None:
        """A time-out has taken its time already."""
        gate = gate_of(ceiling=1)
        answers(gate, 20)
        assert gate.try_enter()
        gate.leave(Signal.SHED, 30, "POST")
        assert gate.try_enter()


class TestOutage:
    """Nobody is let through but a probe now and then."""

    @simulated
    async def test_it_is_said(self) -> None:
        gate = gate_of()
        assert gate.state == "open"
        await fall(gate)
        assert not gate.try_enter()
        assert not gate.has_room
        assert gate.held() == pytest.approx(now() - 1)

    @simulated
    async def test_those_who_wait_ask_one_at_a_time_at_growing_intervals(self) -> None:
        gate = gate_of()
        await fall(gate)
        start = now()
        log: list[float] = []
        tasks = [asyncio.create_task(pass_through(gate, log, good=False)) for _ in range(20)]
        await asyncio.sleep(30)
        waits = [later - before for before, later in zip([start, *log], log, strict=False)]
        assert 0.1 < waits[0] <= 0.5
        bounds = [1, 2, 4, 5, 5, 5]
        for wait, longest in zip(waits[1:], bounds, strict=False):
            assert longest / 2 <= wait <= longest
        assert 6 <= len(log) <= 11
        assert gate.state == "outage"
        await gate.close()
        await asyncio.wait(tasks)

    @simulated
    async def test_while_one_asks_no_other_does(self) -> None:
        gate = gate_of()
        await fall(gate)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(60)
        assert gate.in_flight == 1
        assert not gate.try_enter()
        gate.failed(SHED)
        gate.leave()
        await asyncio.sleep(0)
        assert gate.in_flight == 1, "now the next one may"
        await waiting

    @simulated
    async def test_who_asks_and_is_cancelled_leaves_it_to_the_next(self) -> None:
        gate = gate_of()
        await fall(gate)
        await gate.enter()
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(10)
        assert not waiting.done()
        gate.leave()  # as a cancelled attempt does
        await waiting
        assert gate.state == "outage"

    @simulated
    async def test_who_only_tries_may_ask_when_it_is_time(self) -> None:
        gate = gate_of()
        await fall(gate)
        assert not gate.try_enter()
        await asyncio.sleep(0.5)
        assert gate.try_enter()
        assert not gate.try_enter()

    @simulated
    async def test_the_first_success_lets_them_in_slowly(self) -> None:
        gate = gate_of()
        answers(gate, 500)
        await fall(gate)
        log: list[float] = []
        told: list[int] = []
        gate.on_room.add(lambda: told.append(gate.limit))
        tasks = [asyncio.create_task(pass_through(gate, log, good=True)) for _ in range(40)]
        await asyncio.wait(tasks)
        assert gate.state == "open"
        assert told == [1]
        # One after the other at first, five of them, and then more at once.
        gaps = [later - before for before, later in pairwise(log)]
        assert min(gaps[:5]) == pytest.approx(0.01)
        assert gaps.count(0) > 10

    @simulated
    async def test_when_patience_ends_all_who_wait_are_sent_away(self) -> None:
        gate = gate_of(patience=42)
        await fall(gate)
        began = now() - 1 / 9
        tasks = [asyncio.create_task(gate.enter()) for _ in range(50)]
        sent_away: list[float] = []
        for task in tasks:
            task.add_done_callback(lambda _: sent_away.append(now()))
        await asyncio.sleep(0)
        while gate.waiting:
            await asyncio.sleep(0.001)
            if gate.in_flight:
                gate.failed(SHED)
                gate.leave()
        assert gate.given_up
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

            time = timing()
            gate = Gate(AdaptiveLimit(8), Outage(60, time.now, time.random), sleep)
            await fall(gate)
            await asyncio.sleep(1)
            await gate.enter()  # and asks for ever
            tasks = [asyncio.create_task(gate.enter()) for _ in range(3)]
            await asyncio.sleep(60)
            over.set()
            for _ in range(moment):
                await asyncio.sleep(0)
            tasks[0].cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert type(ends[0]) in {asyncio.CancelledError, GivenUpError}
            assert [type(end) for end in ends[1:]] == [GivenUpError] * 2
            assert (gate.in_flight, gate.waiting) == (1, 0)

        scene()

    @simulated
    async def test_who_comes_right_after_is_sent_away_at_once_unless_it_is_time_to_ask(
        self,
    ) -> None:
        gate = gate_of(patience=10)
        await fall(gate)
        log: list[float] = []
        while gate.state == "outage" and not gate.given_up:
            try:
                await pass_through(gate, log, good=False)
            except GivenUpError:
                break
        start = now()
        with pytest.raises(GivenUpError):
            gate.enter().send(None)
        assert now() == start
        await asyncio.sleep(5)
        await gate.enter()
        with pytest.raises(GivenUpError):
            gate.enter().send(None)
        gate.succeeded()
        gate.leave()
        await gate.enter()

    @simulated
    async def test_who_comes_after_a_quiet_time_waits_for_the_first_to_ask(self) -> None:
        """Nobody knows whether the service is still gone."""
        gate = gate_of(patience=10)
        await fall(gate)
        await asyncio.sleep(3600)
        log: list[float] = []
        tasks = [asyncio.create_task(pass_through(gate, log, good=True)) for _ in range(50)]
        await asyncio.gather(*tasks)
        assert len(log) == 50
        assert gate.state == "open"

    @simulated
    async def test_who_asks_for_long_and_is_cancelled_does_not_prolong_it(self) -> None:
        gate = gate_of(patience=60)
        await fall(gate)
        for _ in range(5):
            await gate.enter()
            await asyncio.sleep(15)
            gate.leave()
        assert gate.given_up

    @simulated
    async def test_patience_ends_while_somebody_asks_and_gets_no_answer(self) -> None:
        gate = gate_of(patience=40)
        await fall(gate)
        began = now() - 1 / 9
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        alone = asyncio.create_task(gate.enter(patient=False))
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ends} == {GivenUpError}
        assert now() == pytest.approx(began + 40, abs=0.01)
        assert not alone.done()
        gate.failed(SHED)
        gate.leave()
        await alone
        await gate.close()

    @simulated
    async def test_what_was_sent_before_it_comes_back_without_letting_another_ask(self) -> None:
        gate = gate_of()
        began = now()
        for _ in range(5):
            assert gate.try_enter()
        await fall(gate)
        asking = [asyncio.create_task(gate.enter()) for _ in range(4)]
        await asyncio.sleep(10)
        assert gate.in_flight == 6
        for _ in range(5):
            gate.failed(SHED)
            gate.leave(Signal.SHED, now() - began, "POST")
            await asyncio.sleep(6)
        assert [task.done() for task in asking] == [True, False, False, False]
        gate.failed(SHED)
        gate.leave(Signal.SHED, 30.0, "POST")
        await asyncio.sleep(6)
        assert [task.done() for task in asking] == [True, True, False, False]
        await gate.close()

    @simulated
    async def test_timers_that_somebody_cancels_are_set_again(self) -> None:
        """A handler that ends all tasks of a loop ends those of the gate as well."""
        gate = gate_of()
        answers(gate, 30)
        assert gate.try_enter()
        gate.leave(Signal.SHED, 0.0, "POST")
        assert not gate.has_room or gate.limit > 1
        await fall(gate)
        waiting = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        assert waiting in everything
        for task in everything:
            task.cancel()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "the loop may be ending"
        async with asyncio.timeout(10):
            await gate.enter()
        gate.succeeded()
        gate.leave(Signal.GOOD, 0.05, "POST")
        assert [gate.try_enter() for _ in range(2)] == [True, False]
        await gate.close()

    @simulated
    async def test_who_is_left_waiting_when_somebody_cancels_the_timers_is_not_forgotten(
        self,
    ) -> None:
        """Somebody may end all tasks but their own, and wait for a place of the gate in that."""
        gate = gate_of(patience=60)
        await fall(gate)
        began = now() - 1 / 9
        waits = [asyncio.create_task(gate.enter()) for _ in range(2)]
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
        gate = gate_of()
        for _ in range(3):
            await fall(gate)
            await gate.enter()
            gate.succeeded()
            gate.leave(Signal.GOOD, 0.01, "POST")
            assert gate.state == "open"
            await asyncio.sleep(100)
        assert gate.held() == pytest.approx(3 * 0.5, abs=0.7)


class TestClosing:
    """Who waits is not left waiting."""

    @simulated
    async def test_everybody_is_let_through(self) -> None:
        gate = gate_of(ceiling=1)
        tasks = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        await gate.close()
        await asyncio.gather(*tasks)
        assert gate.try_enter()

    @simulated
    async def test_in_an_outage_too_and_no_timer_is_left(self) -> None:
        gate = gate_of()
        answers(gate, 30)
        await fall(gate)
        tasks = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        await gate.close()
        await asyncio.gather(*tasks)
        gate.leave(Signal.SHED, 0.0, "POST")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert gate.try_enter()

    @simulated
    async def test_whoever_closes_it_may_be_cancelled_again_and_again(self) -> None:
        gate = gate_of()
        await fall(gate)
        tasks = [asyncio.create_task(gate.enter()) for _ in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(gate.close())
        await asyncio.sleep(0)
        for _ in range(3):
            closing.cancel()
            await asyncio.sleep(0)
        assert closing.cancelled()
        await asyncio.gather(*tasks)
        assert asyncio.all_tasks() == {asyncio.current_task()}
