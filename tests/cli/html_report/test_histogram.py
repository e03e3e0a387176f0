import math
from itertools import pairwise

import pytest

from restream_async.cli.html_report.histogram import Bar, Histogram


def of(*durations: float) -> Histogram:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return histogram


def test_every_duration_is_counted_between_its_bounds() -> None:
    durations = [0.0, 0.00011, 0.001, 0.25, 0.26, 1.0, 119.0, 5000.0]
    histogram = of(*durations)
    assert histogram.count == len(durations)
    assert sum(bar.count for bar in histogram.bars()) == len(durations)
    for seconds in durations[1:]:
        [bar] = [bar for bar in histogram.bars() if bar.start <= seconds < bar.end]
        assert bar.count >= 1
        assert bar.end < 1.2 * bar.start


def test_bars_have_no_gaps() -> None:
    bars = of(0.5, 2.0).bars()
    assert bars[0] == Bar(0.5, 2**-0.75, 1)
    assert [bar.count for bar in bars] == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert all(one.end == other.start for one, other in pairwise(bars))


def test_a_quantile_is_at_most_a_fifth_too_long() -> None:
    histogram = of(*(number / 100 for number in range(1, 101)))
    for share in (0.5, 0.95, 0.99, 1.0):
        assert share <= histogram.quantile(share) < 1.2 * share


def test_without_durations_there_is_nothing_to_say() -> None:
    assert of().bars() == ()
    assert math.isnan(of().quantile(0.5))


def test_many_durations_need_no_more_memory_than_their_kinds() -> None:
    histogram = of(*(0.001 * 1.0001**number for number in range(100_000)))
    assert len(histogram.bars()) == pytest.approx(58, abs=2)
