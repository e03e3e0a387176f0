import pytest

from restream_async import Failed, NewRestream, RestreamError, TransportError
from restream_async._bulk.report import BulkCounts
from restream_async.cli.output.outcome_totals import Totals, is_not_sent
from restream_async.errors import Call, ForbiddenError, NotSentError

CALL = Call("POST", "/api/v1/p1/restreams", "v1")
NEW = NewRestream(video_id="v1", title="T", stream_url="rtmp://h/a", stream_key="k", status=True)


def test_outcomes_are_counted_by_what_they_mean() -> None:
    failed = {"OutcomeUnknownError": 1, "NotSentError": 2, "JournalError": 3, "ApiError": 4}
    counts = BulkCounts(posted=5, confirmed=6, existing=7, from_journal=8, failed=failed)
    totals = Totals.of(counts)
    assert (totals.created, totals.existing, totals.created_earlier) == (11, 7, 8)
    assert (totals.in_doubt, totals.not_sent, totals.refused) == (1, 5, 0)
    assert (totals.failed, totals.failures) == (4, {"ApiError": 4})
    assert (totals.exist, totals.done) == (26, 31)


def test_a_refusal_that_ended_the_run_is_no_failure_of_an_item() -> None:
    counts = BulkCounts(failed={"ForbiddenError": 3})
    assert Totals.of(counts).failed == 3
    totals = Totals.of(counts, ForbiddenError(CALL, status=403))
    assert (totals.refused, totals.failed, totals.done) == (3, 0, 0)


@pytest.mark.parametrize(
    ("error", "not_sent"),
    [
        (NotSentError(CALL, detail="stopped", sent=False), True),
        (TransportError(CALL, detail="no route", sent=False), False),
    ],
)
def test_an_item_that_the_run_never_sent_is_told_from_one_that_failed(
    error: RestreamError, *, not_sent: bool
) -> None:
    assert is_not_sent(Failed(index=0, request=NEW, error=error, attempts=0)) is not_sent
