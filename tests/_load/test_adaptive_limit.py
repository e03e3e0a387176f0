import math
import random
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._load.adaptive_limit import START, AdaptiveLimit, Signal
from tests.helpers.simulated_load import Simulation, about, always
from tests.helpers.strategies import quick

IDLE = 0.05


class Load:
    """Requests through a limit, in waves: as many as may be in flight, all answered at once."""

    def __init__(self, size: int = 64, *, ceiling: int = 256) -> None:
        self.now = 1000.0
        self.computing = 0.0
        self.computed = 0.0
        self.limit = AdaptiveLimit(ceiling, lambda: self.computed, start=size)

    @property
    def value(self) -> int:
        return self.limit.value

    def answer(
        self,
        signal: Signal = Signal.GOOD,
        latency: float = IDLE,
        *,
        started: float | None = None,
        in_flight: int | None = None,
        kind: str = "POST",
    ) -> bool:
        """Give an answer to a request that was sent just now, unless it was sent earlier."""
        return self.limit.record(
            signal,
            self.now if started is None else started,
            latency,
            self.value if in_flight is None else in_flight,
            "" if signal is Signal.SHED else kind,
        )

    def wave(
        self, latency: float = IDLE, *, shed: int = 0, busy: bool = True, kind: str = "POST"
    ) -> int:
        """Send what may be in flight; the first of them are refused. Return the limit then."""
        size = self.value
        self.computed += self.computing * (latency + 0.001)
        for number in range(size):
            signal = Signal.SHED if number < shed else Signal.GOOD
            self.answer(signal, latency, in_flight=size if busy else 1, kind=kind)
        self.now += latency + 0.001
        return self.value

    def varied_wave(self, latency: float, error: float) -> int:
        """Let answers vary around a latency: that much is the standard error of its logarithm."""
        size = self.value
        times = math.exp(error * math.sqrt(size))
        for number in range(size):
            varied = latency * times if number % 2 else latency / times
            self.answer(latency=varied, in_flight=size)
        self.now += latency * times + 0.001
        return self.value

    def forgiven(self) -> int:
        """Return how many errors in a row do not lower the limit."""
        size, count = self.value, 0
        while True:
            self.answer(Signal.SHED)
            if self.value < size:
                return count
            count += 1

    def every_fourth_is_refused(self, count: int) -> list[int]:
        """Return the limit after each answer."""
        sizes: list[int] = []
        for number in range(count):
            self.answer(Signal.GOOD if number % 4 else Signal.SHED)
            self.now += IDLE / self.value
            sizes.append(self.value)
        return sizes

    def waves(self, count: int, latency: float = IDLE, *, shed: int = 0) -> list[int]:
        return [self.wave(latency, shed=shed) for _ in range(count)]

    def waves_at(self, latency: float = IDLE, *, busy: bool = True, most: int = 200) -> int:
        """Return how many waves it takes until the limit changes."""
        size, count = self.value, 1
        while self.wave(latency, busy=busy) == size:
            count += 1
            assert count < most, "it never changes"
        return count

    def queue(self, slots: int, count: int, *, latency: float = IDLE) -> list[int]:
        """Send waves to a service that works on so many at once, the others wait."""
        return [self.wave(max(1, self.value / slots) * latency) for _ in range(count)]


def standing(size: int, *, ceiling: int = 256) -> Load:
    """Return a limit of that size that has just been lowered by one, so that it grows by one."""
    load = Load(size + 1, ceiling=ceiling)
    load.wave()
    # Three are forgiven, and the next one takes a slot.
    assert load.forgiven() == 3
    assert load.value == size
    load.now += IDLE + 0.001
    return load


class TestStart:
    """As most services have room."""

    @pytest.mark.parametrize(("ceiling", "start"), [(1024, 64), (64, 64), (63, 63), (1, 1)])
    def test_it_starts_at_64_or_its_ceiling(self, ceiling: int, start: int) -> None:
        limit = AdaptiveLimit(ceiling)
        assert (limit.value, limit.ceiling, limit.idle_latency("POST")) == (start, ceiling, None)
        assert START == 64

    def test_while_nothing_is_refused_it_doubles(self) -> None:
        assert Load(ceiling=1000).waves(8) == [64, 128, 128, 256, 256, 512, 512, 1000]

    def test_answers_that_take_no_time_are_no_reason_to_stop(self) -> None:
        assert Load().waves(4, 0.0) == [64, 128, 128, 256]


class TestIdleLatency:
    """What an answer takes while there is little to do."""

    def test_it_is_known_after_a_round(self) -> None:
        load = Load(16, ceiling=16)
        for _ in range(15):
            load.answer()
        assert load.limit.idle_latency("POST") is None
        load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)
        assert load.limit.idle_latency("GET") is None

    def test_the_least_counts(self) -> None:
        load = Load(16, ceiling=16)
        for latency in (0.3, 0.1, 0.2):
            load.wave(latency)
        assert load.limit.idle_latency("POST") == pytest.approx(0.1)

    def test_it_is_surely_no_less(self) -> None:
        """Two standard errors above the mean of the logarithms."""
        load = Load(16, ceiling=16)
        for number in range(16):
            load.answer(latency=0.1 if number % 2 else 0.4)
        assert load.limit.idle_latency("POST") == pytest.approx(0.2 * math.exp(math.log(2) / 2))

    @pytest.mark.parametrize(("count", "known"), [(4, False), (5, True)])
    def test_five_of_a_kind_say_something(
        self,
        count: int,
        *,
        known: bool,
    ) -> None:
        load = Load(16, ceiling=16)
        for _ in range(count):
            load.answer(kind="GET", latency=0.01)
        for _ in range(16):
            load.answer()
        assert (load.limit.idle_latency("GET") is not None) is known

    def test_few_of_many_kinds_make_no_round(self) -> None:
        """What keeps the service busiest has come four times."""
        load = Load(8, ceiling=8)
        for _ in range(4):
            load.answer(kind="PUT", latency=1.0)
        for _ in range(8):
            load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)
        assert load.limit.idle_latency("PUT") is None

    def test_what_an_error_takes_says_nothing(self) -> None:
        load = Load(8, ceiling=8)
        for _ in range(20):
            load.answer(kind="")
        assert load.limit.idle_latency("") is None

    def test_what_was_sent_before_the_limit_changed_belongs_to_the_old_one(self) -> None:
        load = Load(16, ceiling=32)
        sent = load.now
        load.waves(2)
        assert load.value == 32
        for _ in range(40):
            load.answer(started=sent, latency=0.001)
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)


class TestRefusals:
    """503, 504 and time-outs."""

    @pytest.mark.parametrize(("shed", "after"), [(3, 64), (4, 63), (34, 33), (60, 7), (64, 3)])
    def test_the_first_wave_leaves_the_capacity(self, shed: int, after: int) -> None:
        """And three more, as few errors are forgiven."""
        assert Load().wave(shed=shed) == after

    def test_the_second_of_a_later_wave_takes_a_quarter_and_the_others_one_each(self) -> None:
        load = Load(100, ceiling=100)
        load.wave()
        sizes: list[int] = []
        for _ in range(7):
            load.answer(Signal.SHED)
            sizes.append(load.value)
        assert sizes == [100] * 3 + [99, 74, 73, 72]

    def test_a_quarter_is_one_at_least(self) -> None:
        load = standing(8)
        for _ in range(4):
            load.answer(Signal.SHED)
        assert load.value == 3, "3.25"
        load.now += 1.0
        load.answer(Signal.SHED)
        assert load.value == 2, "2.25"
        load.answer(Signal.SHED)
        assert load.value == 1, "1.25"

    def test_the_second_is_no_second_after_a_growth(self) -> None:
        """That is taken back, and no more."""
        load = standing(20)
        sent = load.now - 1.0
        assert load.waves(2) == [20, 21]
        load.answer(Signal.SHED, started=sent)
        assert load.value == 20

    def test_a_refusal_of_what_was_sent_after_the_first_one_begins_a_wave(self) -> None:
        load = Load(100, ceiling=100)
        load.wave()
        for _ in range(5):
            load.answer(Signal.SHED)
        assert load.value == 74
        load.answer(Signal.SHED, started=load.now + IDLE)
        assert load.value == 73
        load.answer(Signal.SHED, started=load.now + 1.1 * IDLE)
        assert load.value == 72
        load.answer(Signal.SHED, started=load.now + 1.1 * IDLE)
        assert load.value == 54

    def test_the_first_of_a_wave_takes_one(self) -> None:
        load = Load(5, ceiling=5)
        load.waves(2)
        assert load.forgiven() == 3
        sizes = [load.value]
        for _ in range(2):
            load.now += 1
            load.answer(Signal.SHED)
            sizes.append(load.value)
        assert sizes == [4, 3, 2]

    def test_it_never_falls_below_one(self) -> None:
        load = Load()
        for _ in range(100):
            load.wave(shed=100)
        assert load.value == 1

    def test_a_caller_learns_whether_the_limit_has_changed(self) -> None:
        load = Load()
        assert [load.answer(Signal.SHED) for _ in range(6)] == [False] * 3 + [True] * 3
        assert [load.answer() for _ in range(100)].count(True) == 0

    def test_so_it_does_of_a_growth(self) -> None:
        load = Load(16, ceiling=32)
        load.wave()
        assert [load.answer() for _ in range(16)] == [False] * 15 + [True]


class TestGrowth:
    """By one, or in leaps."""

    def test_by_one_after_two_rounds_without_a_refusal(self) -> None:
        load = standing(20)
        assert load.waves(2) == [20, 21]

    @pytest.mark.parametrize("size", [8, 20, 28])
    def test_each_growth_that_is_refused_doubles_the_wait(self, size: int) -> None:
        """Up to 16 rounds."""
        load = standing(size)
        waits: list[int] = []
        for _ in range(8):
            waits.append(load.waves_at())
            assert load.value == size + 1
            assert load.wave(shed=1) == size, "taken back, and no more"
        # Rounds of answers, not all of which come in the wave of the refusal.
        assert waits == [2, 3, 7, 15, 15, 15, 15, 15]

    def test_each_that_is_not_refused_halves_it_and_after_four_it_leaps(self) -> None:
        load = standing(20)
        sizes = [load.value]
        while load.value < 60:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        steps = [later - size for size, later in pairwise(sizes)]
        assert steps == [1, 1, 1, 1, 1, 2, 4, 7, 10, 12]

    def test_so_the_wait_is_short_again_where_there_is_room(self) -> None:
        load = standing(20)
        for _ in range(3):
            load.waves_at()
            load.wave(shed=1)
        assert [load.waves_at() for _ in range(4)] == [15, 16, 8, 4]

    def test_a_refusal_ends_the_leaps(self) -> None:
        load = standing(20)
        while load.value < 40:
            load.wave()
        size = load.value - 1
        assert load.wave(shed=2) == size
        load.waves_at()
        assert load.value == size + 1

    @pytest.mark.parametrize(("times", "grows"), [(1.24, True), (1.26, False)])
    def test_not_while_latency_is_above_normal(
        self,
        times: float,
        *,
        grows: bool,
    ) -> None:
        """By a quarter."""
        load = standing(20)
        load.wave(IDLE * times)
        size = load.value
        sizes = load.waves(20, IDLE * times)
        assert (sizes != [size] * 20) is grows

    def test_not_while_the_limit_is_not_used(self) -> None:
        load = standing(20)
        load.wave(busy=False)
        for _ in range(3):
            # Whatever was used before the latest refusal.
            load.wave(busy=False)
        size = load.value
        assert [load.wave(busy=False) for _ in range(40)] == [size] * 40
        assert load.waves_at() <= 2

    @pytest.mark.parametrize(("in_flight", "after"), [(20, 40), (19, 20)])
    def test_one_slot_less_is_not_all(self, in_flight: int, after: int) -> None:
        load = Load(20)
        for _ in range(40):
            load.answer(in_flight=in_flight)
        assert load.value == after

    @pytest.mark.parametrize(("in_flight", "after"), [(8, 9), (7, 8)])
    def test_a_fraction_of_a_slot_is_none(self, in_flight: int, after: int) -> None:
        load = Load(11)
        load.wave()
        load.wave(shed=5)
        assert load.value == 7, "7.5"
        for _ in range(30):
            load.answer(in_flight=1)
            load.now += 1
        assert load.value == 8, "8.5"
        for _ in range(100):
            load.answer(in_flight=in_flight)
            load.now += 1
        assert load.value == after

    @pytest.mark.parametrize(("errors", "answers"), [(2, 36), (3, 40)])
    def test_a_forgiven_error_postpones_it_while_less_than_half_are_left(
        self, errors: int, answers: int
    ) -> None:
        """Of 5.45 each costs 0.7; two rounds without a refusal are 40 answers."""
        load = standing(20)
        for _ in range(errors):
            load.answer(kind="")
            load.answer(Signal.SHED)
        for _ in range(answers - 1):
            load.answer(kind="")
        assert load.value == 20
        load.answer(kind="")
        assert load.value == 21

    def test_forgiven_errors_do_not_delay_the_first_leap(self) -> None:
        """However many are left: 3.5 of eight."""
        load = Load(16)
        load.wave()
        for _ in range(6):
            load.answer(kind="")
            load.answer(Signal.SHED)
        for _ in range(3):
            load.answer(kind="")
        assert load.value == 16
        load.answer(kind="")
        assert load.value == 32

    def test_not_before_a_round_is_over(self) -> None:
        load = Load(16)
        for _ in range(100):
            load.answer(kind="")
        assert load.value == 16

    def test_not_during_an_experiment(self) -> None:
        load = Load(16)
        assert load.queue(16, 4) == [16, 32, 16, 8]
        for _ in range(100):
            load.answer(kind="")
        assert load.value == 8

    @pytest.mark.parametrize(("size", "errors"), [(32, 1), (33, 2), (65, 2), (66, 3)])
    def test_three_percent_of_errors_do_not_take_it_back(self, size: int, errors: int) -> None:
        load = standing(size)
        assert load.waves(2) == [size, size + 1]
        for number in range(1, errors + 1):
            load.answer(Signal.SHED)
            assert load.value == (size if number == errors else size + 1)

    @pytest.mark.parametrize(("good", "after"), [(20, 20), (21, 21)])
    def test_an_error_takes_it_back_for_a_round(self, good: int, after: int) -> None:
        load = standing(20)
        assert load.waves(2) == [20, 21]
        for _ in range(good):
            load.answer(kind="")
        load.answer(Signal.SHED)
        assert load.value == after

    def test_errors_after_an_earlier_growth_do_not_count(self) -> None:
        load = standing(40)
        for size in (41, 42, 43):
            load.waves_at()
            assert load.value == size
            load.answer(Signal.SHED)
            assert load.value == size

    def test_never_above_the_ceiling(self) -> None:
        load = standing(20, ceiling=25)
        assert max(load.waves(60)) == 25
        assert load.value == 25


class TestLeaps:
    """A leap may be in vain, as one that is too large makes answers slower without a refusal."""

    def test_it_is_taken_back_and_followed_by_an_experiment(self) -> None:
        load = Load(16)
        assert load.queue(16, 6) == [16, 32, 16, 8, 16, 16]

    def test_then_it_grows_by_one(self) -> None:
        load = Load(16)
        load.queue(16, 6)
        assert load.queue(16, 3) == [17, 17, 18]

    def test_one_that_makes_answers_hardly_slower_stays(self) -> None:
        """Half of what it would be if all of it waited."""
        load = Load(16, ceiling=32)
        load.waves(2)
        assert load.value == 32
        assert load.wave(IDLE * math.sqrt(2) * 0.99) == 32
        load = Load(16, ceiling=32)
        load.waves(2)
        assert load.wave(IDLE * math.sqrt(2) * 1.01) == 16

    @pytest.mark.parametrize(("ceiling", "after"), [(24, 24), (26, 20)])
    def test_less_than_a_quarter_is_too_little_to_tell(self, ceiling: int, after: int) -> None:
        load = Load(20, ceiling=ceiling)
        load.waves(2)
        assert load.value == ceiling
        assert load.wave(IDLE * 1.2) == after

    def test_the_experiment_waits_until_the_limit_is_used(self) -> None:
        load = Load(16)
        assert load.queue(16, 3) == [16, 32, 16]
        assert [load.wave(busy=False) for _ in range(5)] == [16] * 5
        assert load.wave() == 8

    def test_the_next_leap_waits_until_it_is_known(self) -> None:
        load = Load(16)
        load.waves(2)
        assert load.value == 32
        for _ in range(100):
            load.answer(kind="")
        assert load.value == 32


class TestSlowerForEverybody:
    """Latency that is the same at half of the limit."""

    def slow(self) -> tuple[Load, float]:
        load = Load(ceiling=64)
        load.wave(0.02)
        return load, 0.04

    def test_after_two_slow_rounds_there_is_an_experiment_and_then_the_limit_is_back(self) -> None:
        load, slow = self.slow()
        assert load.waves(4, slow) == [64, 32, 64, 64]

    def test_that_latency_is_normal_then(self) -> None:
        load, slow = self.slow()
        assert set(load.waves(200, slow)[3:]) == {64}

    @pytest.mark.parametrize(("times", "experiment"), [(1.49, False), (1.51, True)])
    def test_half_as_much_again_is_slow(
        self,
        times: float,
        *,
        experiment: bool,
    ) -> None:
        load, _ = self.slow()
        assert (32 in load.waves(20, 0.02 * times)) is experiment

    def test_two_slow_rounds_must_come_in_a_row(self) -> None:
        load, slow = self.slow()
        for _ in range(10):
            assert load.wave(slow) == 64
            assert load.wave(0.02) == 64

    def test_not_while_the_limit_is_not_used(self) -> None:
        load, slow = self.slow()
        assert {load.wave(slow, busy=False) for _ in range(20)} == {64}

    @pytest.mark.parametrize(("size", "half"), [(3, 3), (4, 2)])
    def test_there_is_no_half_of_fewer_than_four(self, size: int, half: int) -> None:
        load = Load(size, ceiling=size)
        load.waves(8, 0.02)
        assert min(load.waves(40, 0.04)) == half

    def test_the_pauses_between_experiments_double(self) -> None:
        """Up to 96 rounds."""
        load, latency = self.slow()
        waits: list[int] = []
        for _ in range(6):
            waits.append(load.waves_at(latency))
            assert (load.value, load.wave(latency)) == (32, 64)
            latency *= 2
        assert waits == [2, 12, 24, 48, 96, 96]

    def test_where_latencies_vary_an_experiment_takes_longer(self) -> None:
        """Until two rounds of the whole limit have been seen, and 64 at least."""
        for size, waves in ((64, 4), (16, 8)):
            load = Load(size, ceiling=size)
            load.wave(0.001)
            counts = {size: 0, size // 2: 0}
            while counts[size // 2] == 0 or load.value < size:
                counts[load.value] += 1
                value = load.value
                for number in range(value):
                    load.answer(latency=0.01 if number % 2 else 2.0, in_flight=value)
                load.now += 1.1
            assert counts[size // 2] == waves

    @pytest.mark.parametrize(("spread", "waves"), [(0.7, 1), (0.8, 2)])
    def test_it_is_over_when_the_difference_is_known_well_enough(
        self, spread: float, waves: int
    ) -> None:
        """A standard error of 15 %."""
        load = Load(ceiling=64)
        load.wave(0.02)
        counts = {64: 0, 32: 0}
        while counts[64] < 3:
            size = load.value
            counts[size] += 1
            for number in range(size):
                sign = 1 if number % 2 else -1
                load.answer(latency=0.06 * math.exp(sign * spread), in_flight=size)
            load.now += 0.2
        assert counts[32] == waves

    def test_a_service_that_becomes_quicker_makes_its_latency_normal(self) -> None:
        load, _ = self.slow()
        load.wave(0.014)
        assert load.waves(2, 0.0215) == [64, 32]

    @pytest.mark.parametrize(("latency", "after"), [(0.0199, 64), (0.0201, 32)])
    def test_less_than_20_milliseconds_are_no_reason(self, latency: float, after: int) -> None:
        load = Load(ceiling=64)
        load.wave(0.001)
        assert load.waves(2, latency)[-1] == after

    def test_a_forgiven_error_does_not_end_the_experiment(self) -> None:
        load, slow = self.slow()
        assert load.waves(2, slow) == [64, 32]
        assert load.wave(slow, shed=3) == 32
        assert load.wave(slow) == 64

    def test_a_refusal_ends_it_where_it_is(self) -> None:
        load, slow = self.slow()
        assert load.waves(2, slow) == [64, 32]
        assert load.forgiven() == 3
        assert load.value == 31
        load.now += IDLE + 0.001
        assert load.waves(2, 0.02) == [31, 32]

    def test_its_answers_are_no_part_of_the_next_round(self) -> None:
        load, slow = self.slow()
        assert load.waves(2, slow) == [64, 32]
        for _ in range(20):
            load.answer(latency=0.001)
        assert load.forgiven() == 3
        load.now += IDLE
        load.wave(0.02)
        assert load.limit.idle_latency("POST") == pytest.approx(0.02)


class TestQueueing:
    """Latency that falls with the limit."""

    def test_it_is_halved_until_nothing_waits(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.queue(16, 7) == [64, 32, 32, 32, 16, 16, 16]

    def test_what_waits_a_little_is_kept(self) -> None:
        """Four of ten: half would be too little to keep the service busy for sure."""
        load = Load(ceiling=64)
        load.wave()
        assert load.queue(40, 4) == [64, 32, 64, 64]
        load = Load(ceiling=64)
        load.wave()
        assert load.queue(38, 4) == [64, 32, 32, 32]

    def test_then_it_grows_by_one(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        load.queue(16, 6)
        assert load.value == 16
        sizes = {16, *load.queue(16, 8)}
        assert 17 in sizes

    def test_the_latency_without_queueing_is_normal_again(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        load.queue(16, 20)
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)
        load.queue(16, 300)
        assert 14 <= load.value <= 30

    def test_then_there_are_experiments_without_a_reason_ever_more_rarely(self) -> None:
        load = Load(ceiling=64)
        latency = IDLE
        load.wave(latency)
        for _ in range(2):
            # What was found is soon tried again.
            latency *= 2
            size = load.value
            load.waves_at(latency)
            latency /= 2
            assert (load.value, load.wave(latency)) == (size // 2, size // 2)
            rounds: list[int] = []
            for _ in range(5):
                # A bit slower, so that it does not grow; and so at half of the limit.
                latency *= 1.3
                rounds.append(load.waves_at(latency) + 1)
                assert (load.value, load.wave(latency)) == (size // 4, size // 2)
            assert rounds == [3, 8, 16, 32, 64]

    def test_but_once_in_1024_rounds(self) -> None:
        load, latency = Load(32, ceiling=32), IDLE
        load.wave()
        load.waves_at(IDLE * 2)
        assert (load.value, load.wave()) == (16, 16)
        rounds: list[int] = []
        for _ in range(10):
            latency *= 1.3
            rounds.append(load.waves_at(latency, most=1100) + 1)
            assert (load.value, load.wave(latency)) == (8, 16)
        assert rounds[-3:] == [512, 1024, 1024]


class TestForgivenErrors:
    """A share of 503s is taken for errors that have nothing to do with load."""

    def test_three_in_a_row(self) -> None:
        assert Load().forgiven() == 3

    def test_they_are_earned_again(self) -> None:
        load = Load(100, ceiling=100)
        assert load.wave(shed=3) == 100
        load.wave()
        assert load.wave(shed=3) == 100

    def test_a_refusal_after_a_growth_is_not_forgiven(self) -> None:
        load = standing(20)
        load.waves(2)
        assert (load.value, load.wave(shed=1)) == (21, 20)

    def test_unless_it_has_reached_the_ceiling(self) -> None:
        load = standing(20, ceiling=25)
        load.waves(20)
        assert load.value == 25
        assert load.wave(shed=3) == 25

    def test_as_many_errors_at_half_of_the_limit_give_it_back(self) -> None:
        load = Load(64, ceiling=64)
        sizes = load.every_fourth_is_refused(2_000)
        assert min(sizes) <= 32
        assert sizes[-1_000:] == [64] * 1_000

    def test_then_it_grows_among_as_many_errors(self) -> None:
        load = Load(64, ceiling=64)
        load.every_fourth_is_refused(2_000)
        for _ in range(20):
            load.answer(Signal.SHED)
        assert load.value < 60
        assert load.every_fourth_is_refused(10_000)[-1] == 64


class TestComputing:
    """Where answers wait for this thread, their latencies say nothing about the service."""

    @pytest.mark.parametrize(("share", "after"), [(0.79, 32), (0.81, 64)])
    def test_four_fifths_of_the_time_are_too_much_to_learn(self, share: float, after: int) -> None:
        load = Load(ceiling=64)
        load.computing = share
        load.wave()
        assert load.waves(2, IDLE * 2)[-1] == after

    def test_it_cancels_an_experiment(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.waves(2, IDLE * 2) == [64, 32]
        load.computing = 0.9
        assert load.wave(IDLE) == 64

    def test_slow_rounds_before_it_do_not_count(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        load.wave(IDLE * 2)
        load.computing = 0.9
        load.wave(IDLE * 2)
        load.computing = 0.0
        assert load.waves(2, IDLE * 2) == [64, 32]

    def test_it_does_not_keep_the_limit_from_growing(self) -> None:
        load = standing(20)
        load.waves(4)
        load.wave(IDLE * 1.4)
        size = load.value
        assert load.waves(10, IDLE * 1.4) == [size] * 10
        load.computing = 0.9
        assert max(load.waves(10, IDLE * 1.4)) > size

    def test_it_does_not_take_a_growth_back_later(self) -> None:
        """As the latencies before and after are not compared."""
        load = Load(16, ceiling=32)
        load.wave()
        load.computing = 0.9
        assert [load.wave(), load.wave(IDLE * 2)] == [32, 32]
        load.computing = 0.0
        assert load.wave(IDLE * 2) == 32

    def test_seconds_are_no_reason_either(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        load.computing = 0.9
        assert load.waves(4, 10.0) == [64] * 4

    def test_the_least_latency_is_learned_all_the_same(self) -> None:
        load = Load(ceiling=64)
        load.computing = 0.9
        load.wave()
        load.wave()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)


class TestRecently:
    """What the rate limit starts from: a moment, and the answers since."""

    def test_there_is_none_in_the_first_two_rounds(self) -> None:
        load = Load(8, ceiling=8)
        assert load.limit.recently() == (math.inf, 0)
        load.wave()
        assert load.limit.recently() == (math.inf, 8)

    def test_it_is_one_to_two_rounds_ago(self) -> None:
        load = Load(8, ceiling=8)
        first = load.now + IDLE
        load.waves(2)
        assert load.limit.recently() == (first, 8)
        for _ in range(7):
            load.answer()
        assert load.limit.recently() == (first, 15)
        second = load.now - 0.001
        load.answer(Signal.SHED)
        assert load.limit.recently() == (first, 16)
        load.answer()
        since, answers = load.limit.recently()
        assert since == pytest.approx(second)
        assert answers == 9


class TestOtherKinds:
    """A list is quicker than a creation at any load."""

    def test_each_kind_has_its_own_normal_latency(self) -> None:
        load = Load(ceiling=64)
        assert [load.wave(0.001, kind="GET") for _ in range(5)] == [64] * 5
        assert [load.wave(0.1) for _ in range(5)] == [64] * 5
        assert [load.wave(0.001, kind="GET") for _ in range(5)] == [64] * 5

    @pytest.mark.parametrize(("quick", "slow", "after"), [(1, 2, 4), (2, 1, 8)])
    def test_what_keeps_the_service_busiest_says_how_slow_it_is(
        self, quick: int, slow: int, after: int
    ) -> None:
        load = Load(8, ceiling=8)
        sizes: list[int] = []
        for number in range(4):
            for _ in range(7):
                load.answer(latency=0.1 * (slow if number > 1 else 1))
            for _ in range(8):
                load.answer(kind="GET", latency=0.01 * (quick if number > 1 else 1))
            load.now += 1
            sizes.append(load.value)
        assert sizes == [8, 8, 8, after]

    def test_an_experiment_ends_when_the_kind_changes(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.waves(2, IDLE * 2) == [64, 32]
        assert load.wave(kind="GET", latency=0.01) == 64
        assert load.waves(2, IDLE * 2) == [32, 64], "a new one, as the first found nothing"

    def test_two_slow_rounds_of_two_kinds(self) -> None:
        """The experiment compares those of the second kind."""
        load = Load(ceiling=64)
        load.wave()
        load.wave(0.02, kind="GET")
        load.wave(IDLE * 2)
        assert load.wave(0.04, kind="GET") == 32
        assert load.wave(0.04, kind="GET") == 64


class TestSeconds:
    """A client that joins a crowd cannot know what the service takes without it."""

    def test_answers_that_take_seconds_lower_it(self) -> None:
        """To where they would take one, if all of them wait for each other."""
        load = Load(ceiling=64)
        assert load.wave(4.0) == 16

    def test_eight_of_them_are_enough(self) -> None:
        """Until the whole limit is answered, a client that joins a crowd would only add to it."""
        load = Load(ceiling=64)
        limits: list[int] = []
        for _ in range(8):
            load.answer(latency=4.0)
            limits.append(load.value)
        assert limits == [64] * 7 + [16]

    def test_in_an_experiment_they_are_not(self) -> None:
        """It compares latencies, and ends with what it finds."""
        load = Load(ceiling=64)
        load.waves(12)
        load.waves_at(IDLE * 2)
        assert load.value == 32
        for _ in range(31):
            load.answer(latency=4.0)
            assert load.value == 32

    @pytest.mark.parametrize(("latency", "after"), [(1.99, 64), (2.01, 31)])
    def test_two_seconds_need_a_reason(self, latency: float, after: int) -> None:
        assert Load(ceiling=64).wave(latency) == after

    def test_eight_are_few(self) -> None:
        assert Load(ceiling=64).wave(60.0) == 8

    def test_where_eight_take_as_long_they_are_accepted(self) -> None:
        load = Load(ceiling=64)
        assert load.waves(10, 10.0) == [8] + [64] * 9

    @pytest.mark.parametrize(("latency", "after"), [(19.0, 64), (21.0, 30)])
    def test_twice_of_that_needs_a_reason_again(self, latency: float, after: int) -> None:
        load = Load(ceiling=64)
        load.waves(10, 10.0)
        load.wave(latency)
        assert load.value == after

    def test_the_limit_that_comes_back_is_that_of_before(self) -> None:
        """Not one that was the limit long ago."""
        load = Load(ceiling=64)
        assert load.waves(2, 10.0) == [8, 64]
        assert load.forgiven() == 3
        assert load.value == 63
        load.now += 1.0
        assert load.waves(3, 40.0) == [15, 8, 63]

    def test_they_are_normal_then(self) -> None:
        load = Load(ceiling=64)
        load.waves(2)
        assert load.waves(10, 10.0) == [8] + [64] * 9

    def test_where_eight_are_quick_they_grow(self) -> None:
        load = Load(ceiling=64)
        assert load.queue(1, 3)[:1] == [20]
        assert all(value * IDLE < 2.0 for value in load.queue(1, 300))

    def test_a_single_request_may_take_as_long_as_it_likes(self) -> None:
        load = Load(1, ceiling=1)
        assert set(load.waves(30, 50.0)) == {1}


class TestChance:
    """Latencies that vary by themselves move the mean of a round by one or two standard errors."""

    @pytest.mark.parametrize(("times", "slow"), [(1.8, False), (1.87, True)])
    def test_it_may_make_half_as_much_again_more(self, times: float, *, slow: bool) -> None:
        load = Load(ceiling=64)
        load.wave()
        sizes = [load.varied_wave(IDLE * times, 0.1) for _ in range(4)]
        assert (32 in sizes) is slow

    @pytest.mark.parametrize(("times", "slow"), [(1.6, False), (1.7, True)])
    def test_a_normal_latency_is_surely_no_less(self, times: float, *, slow: bool) -> None:
        load = Load(ceiling=64)
        load.varied_wave(IDLE, 0.1)
        assert (32 in load.waves(4, IDLE * times)) is slow

    @pytest.mark.parametrize(("times", "grows"), [(1.5, True), (1.55, False)])
    def test_it_does_not_keep_the_limit_from_growing(self, times: float, *, grows: bool) -> None:
        load = standing(20)
        load.varied_wave(IDLE * times, 0.1)
        size = load.value
        sizes = [load.varied_wave(IDLE * times, 0.1) for _ in range(10)]
        assert (max(sizes) > size) is grows

    @pytest.mark.parametrize(("times", "after"), [(1.68, 32), (1.77, 16)])
    def test_it_does_not_take_a_leap_back(self, times: float, after: int) -> None:
        load = Load(16, ceiling=32)
        load.waves(2)
        assert load.varied_wave(IDLE * times, 0.1) == after

    @pytest.mark.parametrize(("latency", "after"), [(2.4, 64), (2.5, 25)])
    def test_nor_make_seconds_of_less(self, latency: float, after: int) -> None:
        assert Load(ceiling=64).varied_wave(latency, 0.1) == after


class TestRestart:
    """After an outage."""

    @pytest.mark.parametrize("waves", [0, 3])
    def test_that_is_how_it_begins_whatever_was_before(self, waves: int) -> None:
        """Growth by one, or an experiment."""
        load = standing(20, ceiling=25)
        load.waves(waves, IDLE * 2)
        load.limit.restart()
        sizes = [load.value]
        for _ in range(60):
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 20, 25]

    def test_what_came_before_is_no_part_of_the_first_round(self) -> None:
        load = Load(8)
        for _ in range(7):
            load.answer(latency=3.0)
        load.limit.restart()
        load.now += 4
        for _ in range(8):
            load.answer()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)

    def test_it_begins_with_one_and_the_old_limit_is_soon_back(self) -> None:
        load = Load(40, ceiling=200)
        load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 200:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        # The last leap ends there.
        assert sizes == [1, 2, 4, 8, 16, 32, 40, 50, 62, 78, 97, 122, 152, 190, 200]

    def test_beyond_it_grows_by_a_quarter_or_one(self) -> None:
        load = Load(2, ceiling=12)
        load.limit.restart()
        sizes = [load.value]
        while load.value < 12:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 3, 4, 5, 6, 7, 9, 12]

    def test_what_it_knew_of_latency_stays(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        assert load.limit.idle_latency("POST") == pytest.approx(IDLE)

    def test_it_ends_an_experiment(self) -> None:
        load = Load(ceiling=64)
        load.wave()
        assert load.waves(2, IDLE * 2) == [64, 32]
        load.limit.restart()
        assert load.value == 1
        for _ in range(200):
            load.wave()
        assert load.value == 64

    def test_errors_on_the_way_are_forgiven(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 40:
            if load.wave(shed=1 if load.value > 2 else 0) != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 32, 40]

    def test_a_refusal_on_the_way_ends_the_leaps(self) -> None:
        load = Load(40, ceiling=200)
        load.wave()
        load.limit.restart()
        while load.value < 16:
            load.wave()
        assert load.wave(shed=4) == 15
        load.waves_at()
        assert load.value == 16

    def test_a_second_outage_on_the_way_does_not_lower_the_old_limit(self) -> None:
        load = Load(40)
        load.wave()
        load.limit.restart()
        while load.value < 8:
            load.wave()
        load.limit.restart()
        sizes = [load.value]
        while load.value < 40:
            if load.wave() != sizes[-1]:
                sizes.append(load.value)
        assert sizes == [1, 2, 4, 8, 16, 32, 40]


@given(
    st.integers(1, 300),
    st.lists(
        st.tuples(
            st.sampled_from(Signal),
            st.floats(0, 2),
            st.floats(0, 100),
            st.sampled_from(["POST", "GET", ""]),
            st.integers(1, 60),
            st.integers(0, 60),
        ),
        max_size=60,
    ),
)
@quick
def test_whatever_comes_it_stays_between_one_and_the_ceiling(
    ceiling: int, answers: list[tuple[Signal, float, float, str, int, int]]
) -> None:
    limit, now = AdaptiveLimit(ceiling), 0.0
    for signal, wait, latency, kind, times, restart in answers:
        for _ in range(times):
            now += wait / times
            before = limit.value
            changed = limit.record(signal, now, latency, limit.value, kind)
            assert changed or limit.value == before
            assert 1 <= limit.value <= ceiling
        if restart == 0:
            limit.restart()
            assert limit.value == 1


class TestSimulated:
    """Against a service that can do 320 creations a second: 16 at a time, 50 ms each."""

    def test_a_service_that_sheds(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=4)
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.posts < 4000 * 1.02

    def test_a_service_that_sheds_and_has_no_queue(self) -> None:
        """Nothing tells that it is full but the shedding."""
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05))
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.posts < 4000 * 1.02

    @pytest.mark.parametrize("queue", [16, None])
    def test_a_service_that_loses_half_of_its_capacity_and_gets_it_back(
        self, queue: int | None
    ) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=queue)
        world.after(4, lambda: world.get_slots(8))
        world.after(10, lambda: world.get_slots(16))
        world.run(4000)
        assert world.now < 15.5 * 1.05
        assert world.posts < 4000 * 1.02

    def test_a_service_that_queues_is_kept_busy_but_not_drowned(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=always(0.05), queue=None)
        world.run(4000)
        assert world.now < 12.5 * 1.05
        assert world.typical < 2.5 * 0.05
        assert world.posts == 4000
        assert max(world.limits_after(3)) < 64

    def test_a_service_that_queues_and_whose_work_varies(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=16, took=about(0.05), queue=None)
        world.run(4000)
        assert world.now < 12.5 * 1.2
        assert world.typical < 2 * 0.05
        assert world.posts == 4000

    @pytest.mark.parametrize("share", [0.02, 0.1])
    def test_an_answer_of_500_is_as_good_as_any(self, share: float) -> None:
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=always(0.05), noise=share)
        world.run(5000)
        assert {limit for _, limit in world.limits} == {64}

    @pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
    @pytest.mark.parametrize("took", [always(0.05), about(0.05)])
    def test_random_503s_do_not_strangle_it(
        self, share: float, took: Callable[[random.Random], float]
    ) -> None:
        """Hardly ever: now and then errors in a row are taken for load."""
        seconds: list[float] = []
        for seed in range(1, 6):
            world = Simulation(
                limit=AdaptiveLimit(64),
                slots=1000,
                took=took,
                noise=share,
                noise_is_shed=True,
                seed=seed,
            )
            world.run(10_000)
            seconds.append(world.now)
        assert median(seconds) < 10_000 / (1 - share) * 0.051 / 64 * 1.15

    @pytest.mark.parametrize("share", [0.01, 0.03])
    def test_nor_do_they_hide_that_a_service_is_full(self, share: float) -> None:
        world = Simulation(
            limit=AdaptiveLimit(256),
            slots=16,
            took=always(0.05),
            queue=16,
            noise=share,
            noise_is_shed=True,
        )
        world.run(4000)
        assert world.now < 12.5 * (1 + share) * 1.1
        assert world.posts < 4000 * (1 + share) * 1.02

    def test_a_limit_that_was_found_is_tried_at_most_every_16_rounds(self) -> None:
        world = Simulation(limit=AdaptiveLimit(256), slots=64, took=always(0.05))
        world.run(10_000)
        assert world.now < 10_000 * 0.05 / 64 * 1.09
        assert world.posts < 10_000 * 1.02
        assert world.limits_after(world.now)[-1] <= 66

    def test_latencies_that_vary_by_themselves_do_not_strangle_it(self) -> None:
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=about(0.05))
        world.run(5000)
        sizes = world.limits_after(world.now / 2)
        assert sum(sizes) / len(sizes) > 60

    def test_a_service_that_can_do_one_at_a_time(self) -> None:
        """It is pressed once in sixteen times, after the first wave."""
        world = Simulation(limit=AdaptiveLimit(256), slots=1, took=always(0.05))
        world.run(400)
        assert world.now < 20 * 1.05
        assert world.posts < 400 + 63 + 400 / 12
        assert world.limits_after(5)[-1] == 1

    @pytest.mark.parametrize("times", [1.4, 2, 4, 100])
    def test_a_service_that_becomes_slower_for_good(self, times: float) -> None:
        """The least of it is not even noticed; the most of it takes five seconds."""
        world = Simulation(limit=AdaptiveLimit(64), slots=1000, took=always(0.05), timeout=60)
        world.after(1, lambda: world.take(always(0.05 * times)))
        world.run(5000)
        late = 1 + 15 * 0.05 * times
        assert set(world.limits_after(late)) == {64}

    @pytest.mark.parametrize(("share", "seed"), [(0.01, 0), (0.05, 0), (0.05, 1)])
    def test_random_errors_after_an_outage(self, share: float, seed: int) -> None:
        limit = AdaptiveLimit(64)
        world = Simulation(
            limit=limit, slots=1000, took=always(0.05), noise=share, noise_is_shed=True, seed=seed
        )
        world.after(0.5, limit.restart)
        world.run(5000)
        assert world.now < 5000 * 0.051 / 64 * 1.5

    @pytest.mark.parametrize(("queue", "timeout"), [(8, 60.0), (None, 600.0)])
    def test_an_hour(self, queue: int | None, timeout: float) -> None:
        """16 at a time, 10 s each: 5,760 an hour."""
        world = Simulation(
            limit=AdaptiveLimit(256), slots=16, took=always(10), queue=queue, timeout=timeout
        )
        world.run(5760)
        assert world.now < 3600 * 1.02
        assert world.posts < 5760 * 1.02
