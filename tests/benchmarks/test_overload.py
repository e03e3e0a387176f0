import attrs

from benchmarks.overload.outcome import Outcome
from benchmarks.overload.watch import Answer
from benchmarks.run_report import CreationReport, RunReport
from benchmarks.service import FinalState
from restream_async.sandbox import Counts, FaultCounts, Stored


def stored(number: int, key: str) -> Stored:
    return Stored(
        id=number, video_id="v1", title="t", stream_url="rtmp://h", stream_key=key, status=True
    )


def counts(posts: int) -> Counts:
    none = FaultCounts(before={}, after={}, late=0, listing={}, other={})
    return Counts(
        posts=posts,
        lists=0,
        toggles=0,
        deletes=0,
        stored=3,
        shed=0,
        limited=0,
        faults=none,
        in_flight=0,
        max_in_flight=2,
    )


def outcome(seconds: float, posts: float) -> Outcome:
    return Outcome(seconds=seconds, posts=posts, failed=0, twice=0, latency=0.1, done=(int(posts),))


def test_an_outcome_is_what_clients_and_service_say() -> None:
    run_report = RunReport()
    for index, error in enumerate(["", "", "ClientResponseError", ""]):
        run_report.add(CreationReport(index=index, error=error))
    answers = [Answer(0.2, 0.1), Answer(0.9, 0.3), Answer(2.5, 0.2)]
    final = FinalState(stored=(stored(1, "a"), stored(2, "b"), stored(3, "a")), counts=counts(6))

    found = Outcome.of(run_report, answers, final, 2.6)

    assert found == Outcome(seconds=2.6, posts=1.5, failed=1, twice=1, latency=0.2, done=(2, 0, 1))


def test_the_typical_outcome_has_the_median_of_each_number() -> None:
    outcomes = [outcome(13.0, 1.0), outcome(12.0, 3.0), outcome(20.0, 2.0)]

    typical = Outcome.typical(outcomes)

    assert (typical.seconds, typical.posts) == (13.0, 2.0)
    assert typical.done == (1,), "those of the run that took the median time"


def test_an_outcome_survives_a_round_trip() -> None:
    assert Outcome.read(attrs.asdict(outcome(13.0, 1.0))) == outcome(13.0, 1.0)
