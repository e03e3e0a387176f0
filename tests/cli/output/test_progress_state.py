import attrs

from restream_async._bulk.report import BulkCounts
from restream_async.cli.output.progress_state import ProgressMeter, Snapshot
from restream_async.stats import Stats

STATS = Stats(
    in_flight=3, limit=64, waiting=0, attempts=9, retries=2, budget_left=19, state="closed"
)


class Run:
    """A run whose clock and counts are set by hand."""

    def __init__(self, total: int) -> None:
        self.now = 100.0
        self.counts = BulkCounts()
        self.stats = STATS
        self.meter = ProgressMeter(
            lambda: self.counts, lambda: self.stats, total=total, now=lambda: self.now
        )

    def after(self, seconds: float, *, created: int = 0, failed: int = 0) -> Snapshot:
        self.now += seconds
        self.counts = BulkCounts(posted=created, failed={"ApiError": failed} if failed else {})
        return self.meter.read()


def test_at_first_the_rate_is_unknown() -> None:
    snapshot = Run(100).after(0)
    assert (snapshot.rate, snapshot.time_left, snapshot.share) == (None, None, 0)


def test_the_time_left_follows_from_the_rate() -> None:
    snapshot = Run(100).after(2, created=15, failed=5)
    assert snapshot.rate == 10
    assert snapshot.time_left == 8
    assert snapshot.done == 20
    assert snapshot.elapsed == 2
    assert snapshot.stats is STATS


def test_the_time_left_is_unknown_while_nothing_ends() -> None:
    snapshot = Run(100).after(2)
    assert (snapshot.rate, snapshot.time_left) == (0, None)


def test_the_time_left_is_unknown_during_an_outage() -> None:
    run = Run(100)
    assert not run.after(1, created=10).outage
    run.stats = attrs.evolve(STATS, state="open")
    snapshot = run.after(1, created=10)
    assert snapshot.outage.startswith("the service was never reached: ")
    assert (snapshot.rate, snapshot.time_left) == (5, None)
    assert not run.meter.read(over=True).outage


def test_the_time_left_is_unknown_while_it_stops() -> None:
    run = Run(100)
    run.meter.stopping = True
    snapshot = run.after(1, created=10)
    assert snapshot.stopping
    assert snapshot.time_left is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    run = Run(1000)
    for second in range(1, 11):
        run.after(1, created=second)
    last = [run.after(1, created=10 + 100 * second) for second in range(1, 7)]
    assert last[-1].rate == 100


def test_in_the_end_the_rate_is_that_of_the_whole_run() -> None:
    run = Run(100)
    run.after(6, created=10)
    run.after(14, created=100)
    snapshot = run.meter.read(over=True)
    assert (snapshot.rate, snapshot.time_left, snapshot.over) == (5, None, True)


def test_when_all_is_sent_but_not_over_it_looks_again() -> None:
    run = Run(10)
    assert not run.after(1, created=9).reconciling
    assert run.after(1, created=10).reconciling
    assert not run.meter.read(over=True).reconciling
