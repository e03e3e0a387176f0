import math
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restream_async.latencies import Latencies
from tests.unit.strategies import quick

samples = st.lists(st.floats(0.0001, 100), min_size=1, max_size=50)


def latencies(*seconds: float) -> Latencies:
    sample = Latencies()
    for latency in seconds:
        sample.add(latency)
    return sample


def test_it_begins_with_none() -> None:
    assert (Latencies().count, Latencies().seconds) == (0, 0.0)


@given(samples)
@quick
def test_it_knows_the_mean_of_the_logarithms_and_its_error(seconds: list[float]) -> None:
    sample = latencies(*seconds)
    logs = [math.log(latency) for latency in seconds]
    assert sample.count == len(seconds)
    assert sample.seconds == pytest.approx(sum(seconds))
    assert sample.mean == pytest.approx(fmean(logs))
    assert sample.variance == pytest.approx(pvariance(logs) / len(logs), abs=1e-9)
    assert sample.error == pytest.approx(math.sqrt(sample.variance))


@given(samples, samples)
@quick
def test_two_samples_become_one(some: list[float], others: list[float]) -> None:
    merged, whole = latencies(*some), latencies(*some, *others)
    other = latencies(*others)
    merged.merge(other)
    assert merged.count == whole.count
    assert merged.seconds == pytest.approx(whole.seconds)
    assert merged.mean == pytest.approx(whole.mean)
    assert merged.variance == pytest.approx(whole.variance, abs=1e-9)
    assert other.count == len(others), "the other one stays as it is"


def test_rounding_makes_no_variance_negative() -> None:
    """The squares of twenty times the same may add up to less than the square of their mean."""
    assert max(latencies(*[0.05 * n] * 20).error for n in range(1, 200)) < 1e-6


def test_a_service_that_is_twice_as_slow_moves_the_mean_by_log_2() -> None:
    seconds = [0.01, 0.04, 0.05, 3.0]
    slower = latencies(*(2 * latency for latency in seconds)).mean - latencies(*seconds).mean
    assert slower == pytest.approx(math.log(2))


def test_an_answer_that_takes_very_long_hardly_moves_the_mean() -> None:
    sample = latencies(*[0.05] * 49, 50.0)
    assert math.exp(sample.mean) < 0.06


@pytest.mark.parametrize("latency", [0.0, 1e-7, 1e-6])
def test_an_answer_takes_a_microsecond_at_least(latency: float) -> None:
    sample = latencies(latency)
    assert math.exp(sample.mean) == pytest.approx(1e-6)
    assert sample.seconds == latency
