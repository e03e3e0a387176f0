from itertools import pairwise

import pytest

from restream_async.cli.html_report.timeline import Interval, Outage, Timeline
from restream_async.stats import Stats


def stats(*, in_flight: int = 8, limit: int = 64, is_open: bool = False) -> Stats:
    return Stats(
        in_flight=in_flight,
        limit=limit,
        waiting=0,
        attempts=0,
        retries=0,
        budget_left=0,
        state="open" if is_open else "closed",
    )


def test_each_sample_says_what_happened_since_the_one_before() -> None:
    timeline = Timeline()
    timeline.sample(0.5, 10, 0, stats())
    timeline.sample(1.0, 25, 2, stats(in_flight=4, limit=32))
    assert timeline.intervals == [
        Interval(start=0, end=0.5, done=10, failed=0, in_flight=8, limit=64),
        Interval(start=0.5, end=1.0, done=15, failed=2, in_flight=4, limit=32),
    ]


def test_a_sample_of_the_same_moment_adds_nothing() -> None:
    timeline = Timeline()
    timeline.sample(0, 1, 0, stats())
    timeline.sample(1, 1, 0, stats())
    timeline.sample(1, 9, 0, stats())
    timeline.sample(2, 9, 0, stats())
    assert [each.done for each in timeline.intervals] == [1, 8]


@pytest.mark.parametrize("count", [100, 121, 1_000, 50_000])
def test_however_long_a_run_is_no_item_is_missing_and_the_intervals_are_few(count: int) -> None:
    timeline = Timeline()
    for number in range(1, count + 1):
        timeline.sample(number / 20, 3 * number, number // 10, stats(in_flight=number % 2))
    intervals = timeline.intervals
    assert min(count, 60) <= len(intervals) <= 120
    assert sum(each.done for each in intervals) == 3 * count
    assert sum(each.failed for each in intervals) == count // 10
    assert (intervals[0].start, intervals[-1].end) == (0, count / 20)
    assert all(one.end == other.start for one, other in pairwise(intervals))
    mean = sum(each.in_flight * each.seconds for each in intervals) / (count / 20)
    assert mean == pytest.approx(0.5, abs=0.01)
    assert {each.limit for each in intervals} == {64}
    longest = max(each.seconds for each in intervals)
    assert longest < 6 * count / 20 / len(intervals)


def test_an_outage_lasts_from_the_last_sample_before_it_to_the_first_one_after_it() -> None:
    timeline = Timeline()
    for moment, is_open in ((1, False), (2, True), (3, True), (4, False), (5, False), (6, True)):
        timeline.sample(moment, 0, 0, stats(is_open=is_open))
    assert timeline.outages == [Outage(1, 4), Outage(5, 6)]


def test_each_of_many_outages_is_kept() -> None:
    timeline = Timeline()
    for moment in range(1, 201):
        timeline.sample(moment, 0, 0, stats(is_open=moment % 2 == 0))
    assert timeline.outages[:-1] == [Outage(start, start + 2) for start in range(1, 199, 2)]
    assert timeline.outages[-1] == Outage(199, 200)
