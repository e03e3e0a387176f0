import pytest

from restream_async._load.latencies import Latencies
from restream_async._load.long_answers import LongAnswers
from tests.helpers.answer_waves import IDLE, Load


@pytest.mark.parametrize(("limit", "other"), [(1.0, None), (2.0, 2.0)])
def test_one_request_at_a_time_cannot_be_too_many(limit: float, other: float | None) -> None:
    assert LongAnswers().other_limit(limit, Latencies([10.0] * 8)) == other


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

    def test_the_limit_stays_low_until_a_round_of_answers_is_quick(self) -> None:
        load = Load(ceiling=64)
        for number in range(64):
            # The eighth is quick, so that the whole round decides.
            load.answer(latency=IDLE if number == 7 else 4.0)
        low = load.value
        assert low < 20
        load.now += 4.001
        for _ in range(100):
            load.answer(kind="")
        assert load.value == low

    def test_then_it_grows_by_one(self) -> None:
        load = Load(ceiling=64)
        assert load.wave(4.0) == 16
        load.waves_at()
        assert load.value == 17

    def test_a_single_request_may_take_as_long_as_it_likes(self) -> None:
        load = Load(1, ceiling=1)
        assert set(load.waves(30, 50.0)) == {1}
