import math
from itertools import chain
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async._load.latencies import Latencies
from tests.helpers.strategies import quick

lists_of_seconds = st.lists(st.floats(0.0001, 100), max_size=50)


def test_it_begins_with_none() -> None:
    none = Latencies()
    assert (none.count, none.seconds, none.mean, none.variance, none.error) == (0, 0, 0, 0, 0)


@given(lists_of_seconds.filter(bool))
@quick
def test_it_knows_the_mean_of_the_logarithms_and_its_error(seconds: list[float]) -> None:
    sample = Latencies(seconds)
    logs = [math.log(latency) for latency in seconds]
    assert sample.count == len(seconds)
    assert sample.seconds == pytest.approx(sum(seconds))
    assert sample.mean == pytest.approx(fmean(logs))
    assert sample.variance == pytest.approx(pvariance(logs) / len(logs), abs=1e-9)
    assert sample.error == pytest.approx(math.sqrt(sample.variance))


@given(st.lists(lists_of_seconds, max_size=4))
@quick
def test_samples_become_one(parts: list[list[float]]) -> None:
    """Whichever of them are empty."""
    samples = [Latencies(part) for part in parts]
    merged, whole = sum(samples, Latencies()), Latencies([*chain(*parts)])
    assert merged.count == whole.count
    assert merged.seconds == pytest.approx(whole.seconds)
    assert merged.mean == pytest.approx(whole.mean, abs=1e-9)
    assert merged.variance == pytest.approx(whole.variance, abs=1e-9)
    assert merged.error == pytest.approx(math.sqrt(merged.variance))


def test_both_stay_as_they_are() -> None:
    some, others = Latencies([0.1, 0.2]), Latencies([0.4])
    before = some
    some += others
    assert (some.count, before.count, others.count) == (3, 2, 1)
    assert before.mean == Latencies([0.1, 0.2]).mean
    assert others.seconds == 0.4


def test_rounding_makes_no_variance_negative() -> None:
    """The squares of twenty times the same may add up to less than the square of their mean."""
    assert max(Latencies([0.05 * n] * 20).error for n in range(1, 200)) < 1e-6


def test_a_service_that_is_twice_as_slow_moves_the_mean_by_log_2() -> None:
    seconds = [0.01, 0.04, 0.05, 3.0]
    slower = Latencies([2 * latency for latency in seconds])
    assert slower.mean - Latencies(seconds).mean == pytest.approx(math.log(2))


def test_an_answer_that_takes_very_long_hardly_moves_the_mean() -> None:
    sample = Latencies([0.05] * 49 + [50.0])
    assert math.exp(sample.mean) < 0.06


@pytest.mark.parametrize("latency", [0.0, -0.1])
def test_a_latency_is_more_than_nothing(latency: float) -> None:
    with pytest.raises(ValueError, match=r"math domain|positive"):
        Latencies([0.05, latency])
