import math

import pytest

from restream_async._load.latencies import Latencies
from restream_async._load.limit_experiment import LimitExperiment
from tests.helpers.answer_waves import IDLE, Load


def test_normal_is_as_much_more_than_what_was_measured_as_the_measurement_may_err() -> None:
    varied = Latencies([0.03, 0.05] * 8)
    experiment = LimitExperiment(limit=16, kind="POST", base=varied, found=varied)
    assert not experiment.helped
    assert experiment.normal == pytest.approx(varied.mean + math.sqrt(2) * varied.error)


@pytest.mark.parametrize(("fall", "helped"), [(0.95, False), (1.05, True)])
def test_half_of_the_limit_is_as_good_if_latencies_surely_fall_by_half_a_logarithm(
    *, fall: float, helped: bool
) -> None:
    """Two standard errors are 0.49."""
    base = Latencies([0.1, 0.4] * 8)
    found = Latencies([latency * math.exp(-fall) for latency in (0.1, 0.4)] * 8)
    experiment = LimitExperiment(limit=16, kind="POST", base=base, found=found)
    assert 2 * experiment.error == pytest.approx(0.49, abs=0.001)
    assert experiment.helped is helped


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

    def test_the_next_one_after_a_refusal_needs_two_slow_rounds_again(self) -> None:
        load, slow = self.slow()
        assert load.waves(2, slow) == [64, 32]
        assert load.forgiven() == 3
        load.now += slow + 0.001
        assert load.waves(2, slow) == [31, 15]

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

    def test_there_is_at_least_one_in_1024_rounds(self) -> None:
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
