import attrs
import pytest

from restream_async import ForbiddenError, OutageError, RestreamError, UnauthorizedError
from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async.cli.output.run_result import RunResult
from restream_async.cli.output.run_summary import complaints, headline, summary
from restream_async.errors import Call, CertificateError

ALL_WELL = RunResult(
    total=1000,
    counts=BulkCounts(posted=900, confirmed=100),
    by_first_attempt=850,
    examples={},
    duplicates=(),
    unchecked=0,
    seconds=4.21,
    signal_code=None,
    cut_short=False,
)

CALL = Call("POST", "/api/v1/p1/restreams", "v1")


def place(index: int) -> str:
    return f"line {index + 2}"


def test_a_person_reads_how_many_were_created_and_how() -> None:
    assert summary(ALL_WELL).plain.splitlines() == [
        "✓ 1,000 restreams created, in 4.2 s",
        "      850  by the first attempt",
        "       50  by a later attempt, after one that failed",
        "      100  found to exist after a lost answer",
    ]


def test_what_never_happened_has_no_line() -> None:
    result = attrs.evolve(ALL_WELL, total=4, counts=BulkCounts(posted=4), by_first_attempt=4)
    assert summary(result).plain.splitlines()[1:] == ["        4  by the first attempt"]


def test_what_existed_before_is_not_called_created() -> None:
    result = attrs.evolve(
        ALL_WELL, total=6, counts=BulkCounts(posted=4, existing=2), by_first_attempt=4
    )
    assert headline(result).plain == "✓ 4 restreams created, 2 existed already, in 4.2 s"
    counts = BulkCounts(existing=2, from_journal=4)
    assert summary(attrs.evolve(result, counts=counts)).plain == (
        "✓ 2 restreams existed already, 4 created by an earlier run, in 4.2 s"
    )


def test_what_is_in_doubt_or_was_not_sent_is_not_called_failed() -> None:
    failed = {"OutcomeUnknownError": 3, "NotSentError": 2, "JournalError": 1, "ApiError": 4}
    result = attrs.evolve(
        ALL_WELL,
        total=30,
        counts=BulkCounts(posted=5, failed=failed),
        by_first_attempt=5,
        unknown=7,
    )
    assert headline(result).plain == (
        "✗ 5 restreams created, 4 failed, 10 in doubt, 11 not sent, in 4.2 s"
    )
    assert "OutcomeUnknownError" not in summary(result).plain


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (
            UnauthorizedError(CALL, status=401, reason="Unauthorized", note="check the key"),
            "5 restreams refused, 995 not sent",
            "; check the key",
        ),
        (
            ForbiddenError(CALL, status=403, reason="Forbidden", note="check its rights"),
            "5 restreams refused, 995 not sent",
            "; check its rights",
        ),
        (
            CertificateError(CALL, detail="unknown CA", sent=False, note="set SSL_CERT_FILE"),
            "1,000 restreams not sent",
            "; set SSL_CERT_FILE",
        ),
        (
            OutageError(CALL, reached=False, note="check the address"),
            "1,000 restreams not sent",
            "; check the address",
        ),
        (OutageError(CALL), "1,000 restreams not sent", "0 attempts"),
    ],
)
def test_a_run_that_ended_by_itself_says_why_and_calls_nothing_failed(
    error: RestreamError, words: str, remedy: str
) -> None:
    counts = BulkCounts(failed={type(error).__name__: 5})
    result = attrs.evolve(ALL_WELL, counts=counts, error=error, outage="told once")
    assert headline(result).plain == f"✗ {words}, in 4.2 s"
    (said,) = complaints(result, place)
    assert said.endswith(remedy)


def test_an_outage_is_told_if_the_run_was_not_perfect() -> None:
    result = attrs.evolve(ALL_WELL, outage="no request to the service succeeds")
    assert not [*complaints(result, place)]
    result = attrs.evolve(result, total=1001)
    assert [*complaints(result, place)] == ["no request to the service succeeds"]


def test_rarer_origins_are_told_where_there_are_any() -> None:
    counts = BulkCounts(posted=1000, maybe_duplicate=2)
    result = attrs.evolve(ALL_WELL, counts=counts, different=3)
    lines = summary(result).plain.splitlines()
    assert lines[3].startswith("        3  with another title or status than requested: see `diff")
    assert lines[4].startswith("        2  that may exist twice")


def test_failures_are_told_by_kind_with_an_example_the_most_frequent_first() -> None:
    counts = BulkCounts(failed={f"Error{number}": number for number in range(1, 8)})
    result = attrs.evolve(ALL_WELL, counts=counts, examples={"Error7": "401 \x1b[2J: no"})
    lines = summary(result).plain.splitlines()
    assert lines[0] == "✗ 28 restreams failed, 972 not sent, in 4.2 s"
    assert lines[1:4] == [
        "Not created:",
        "        7  Error7, such as: 401 [2J: no",
        "        6  Error6, such as: Error6",
    ]
    assert lines[-1] == "        3  of other kinds"


def test_extra_copies_are_named_with_their_line_and_ids() -> None:
    result = attrs.evolve(
        ALL_WELL,
        duplicates=(
            Duplicate(index=1, video_id="v1", kept=1, extra=(7, "8")),
            Duplicate(index=2, video_id="v2", kept=9, extra=(), reported_failed=True),
        ),
        unchecked=3,
    )
    first, second, advice, third = complaints(result, place)
    assert first == "line 3 (video v1) exists more than once: ids 1, 7, 8"
    assert (
        second == "line 4 (video v2) exists, although it was reported as failed or in doubt: id 9"
    )
    assert advice.endswith("should not be there (restream-async delete ID)")
    assert third.startswith("3 restreams could not be checked again")


def test_many_extra_copies_are_counted_rather_than_listed() -> None:
    copies = tuple(Duplicate(index=n, video_id="v", kept=n, extra=(-n,)) for n in range(25))
    said = list(complaints(attrs.evolve(ALL_WELL, duplicates=copies), place))
    assert len(said) == 22
    assert said[-2].startswith("5 more restreams like these: list")


def test_a_late_restream_that_is_there_once_is_not_to_be_deleted() -> None:
    late = Duplicate(index=1, video_id="v1", kept=9, extra=(), reported_failed=True)
    (said,) = complaints(attrs.evolve(ALL_WELL, duplicates=(late,)), place)
    assert "delete" not in said
