import math
from itertools import pairwise

import pytest

from restream_async._load.latencies import Latencies
from restream_async._load.limit_growth import LimitGrowth
from restream_async._load.load_signal import Signal
from tests.helpers.answer_waves import IDLE, Load, standing


def test_after_an_outage_it_waits_neither_for_an_earlier_growth_nor_for_latency() -> None:
    growth = LimitGrowth()
    assert growth.step(8.0, 8, 8, Latencies([IDLE] * 8)) == 8
    growth.allowed = False
    growth.restart(16.0, 20)
    assert not growth.is_due(1.0, 20)
    assert growth.is_due(1.0, 21)
    assert growth.step(1.0, 21, 21, None) == 1


def test_where_the_cpu_is_the_limit_it_grows_by_single_slots() -> None:
    growth = LimitGrowth()
    growth.restart(16.0, 0)
    growth.slow_down()
    assert growth.step(8.0, 8, 8, None) == 1


def test_a_leap_beyond_the_limit_from_before_an_outage_waits_for_latencies() -> None:
    growth = LimitGrowth()
    growth.restart(16.0, 0)
    assert growth.step(8.0, 8, 8, None) == 8
    assert growth.step(16.0, 24, 24, None) == 0


@pytest.mark.parametrize("last", [None, Latencies([IDLE] * 8)])
def test_single_slots_do_not_wait_for_latencies_and_two_slots_do(last: Latencies | None) -> None:
    growth = LimitGrowth()
    growth.stop(0)
    steps = [growth.step(20.0, answers, answers, last) for answers in range(1, 8)]
    assert steps == [1, 1, 1, 1, 1, 2, 0]


@pytest.mark.parametrize(
    ("limit", "later", "refused"),
    [(15.0, 1, False), (16.0, 1, True), (16.0, 16, True), (16.0, 17, False)],
)
def test_an_error_in_the_round_after_the_growth_to_an_earlier_limit_refuses_it(
    limit: float,
    later: int,
    refused: bool,  # noqa: FBT001 - a parameter
) -> None:
    growth = LimitGrowth()
    growth.restart(16.0, 0)
    assert growth.step(8.0, 8, 8, None) == 8
    assert growth.is_refused(limit, 8 + later, 0.03) is refused


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

    def test_the_wait_is_short_again_where_there_is_room(self) -> None:
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
    def test_it_does_not_grow_while_latency_is_above_normal(
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

    def test_a_forgiven_error_postpones_it_at_the_limit_from_before_an_outage_too(self) -> None:
        load = Load(20, ceiling=40)
        load.wave()
        load.limit.restart()
        while load.value < 20:
            load.wave()
        for _ in range(40):
            load.answer(in_flight=1)
        for _ in range(7):
            load.answer()
            load.answer(Signal.SHED)
        for _ in range(19):
            load.answer()
        assert load.value == 20
        load.answer()
        assert load.value == 25

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

    def test_it_does_not_grow_before_a_round_is_over(self) -> None:
        load = Load(16)
        for _ in range(100):
            load.answer(kind="")
        assert load.value == 16

    def test_it_does_not_grow_during_an_experiment(self) -> None:
        load = Load(16)
        assert load.queue(16, 4) == [16, 32, 16, 8]
        for _ in range(100):
            load.answer(kind="")
        assert load.value == 8

    @pytest.mark.parametrize(("size", "errors"), [(32, 1), (33, 2), (65, 2), (66, 3), (99, 4)])
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

    def test_the_experiment_compares_only_answers_after_it_was_taken_back(self) -> None:
        load = Load(16)
        assert load.waves(1) == [16]
        assert load.waves(1) == [32]
        assert load.wave(IDLE * 2) == 16
        # Slow rounds in a row would be compared together.
        assert load.wave(IDLE * 1.6) == 8
        # Of 1.6 not half, but of what is between 1.6 and 2.
        assert load.wave(IDLE * 1.03) == 16

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
