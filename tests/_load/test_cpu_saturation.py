import pytest

from tests.helpers.answer_waves import IDLE, Load, standing


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
