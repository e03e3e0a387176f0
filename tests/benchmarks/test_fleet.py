import pytest

from benchmarks.fleet.figures import jain, peak, rates, settled


@pytest.mark.parametrize(
    ("shares", "index"), [([5, 5, 5, 5], 1.0), ([8, 0, 0, 0], 0.25), ([1, 3], 0.8), ([0, 0], 1.0)]
)
def test_fairness_is_one_where_all_have_the_same(shares: list[float], index: float) -> None:
    assert jain(shares) == pytest.approx(index)


def test_rates_are_by_the_second_in_each_step() -> None:
    assert rates([0.1, 0.2, 0.6, 1.9, 2.5], end=2.0, step=0.5) == [4.0, 2.0, 0.0, 2.0]


def test_a_peak_is_found_wherever_it_lies() -> None:
    assert peak([0.0, 0.9, 1.0, 1.1, 1.85, 5.0], width=1.0) == 4.0
    assert peak([0.0, 0.9, 1.0, 1.1, 1.85, 5.0], width=0.25) == 12.0


def test_a_peak_does_not_count_what_is_a_whole_width_ago() -> None:
    assert peak([1.0, 2.0], width=1.0) == 1.0


def test_it_is_settled_when_the_rate_is_back() -> None:
    rate = [100.0, 100.0, 0.0, 0.0, 40.0, 95.0, 100.0]
    assert settled(rate, step=0.5, start=1.5, goal=90.0) == 1.5
    assert settled(rate, step=0.5, start=1.5, goal=101.0) is None
