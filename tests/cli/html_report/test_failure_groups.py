from collections.abc import Iterable

import attrs
import pytest

from restream_async import BadRequestError, NewRestream, OutcomeUnknownError, RestreamError
from restream_async.changes import Action, Change
from restream_async.cli.html_report.failure_groups import FailedChanges, FailedItems, Reason, cause
from restream_async.cli.output.run_result import Span
from restream_async.errors import (
    BackendFetchFailedError,
    Call,
    JournalError,
    MalformedResponseError,
    TransportError,
)

CALL = Call("POST", "/api/v1/p1/restreams", "v1")
BAD = BadRequestError(CALL, status=400, reason="Bad Request", errors=["title too long"])
GONE = TransportError(CALL, detail="connection lost", sent=True)


def told(spans: Iterable[Span]) -> str:
    return ", ".join(f"{first}-{last}" for first, last in spans)


def groups(failed: FailedItems) -> list[tuple[str, int, str]]:
    return [(each.reason.text, each.count, each.places) for each in failed.groups(told)]


def test_items_are_grouped_by_reason_the_most_frequent_first() -> None:
    failed = FailedItems()
    for item in (7, 3, 4, 9):
        failed.add(item, BAD)
    failed.add(5, GONE)
    assert groups(failed) == [
        ("400 Bad Request (title too long)", 4, "3-4, 7-7, 9-9"),
        ("connection lost", 1, "5-5"),
    ]
    assert [each.reason.error for each in failed.groups(told)] == [
        "BadRequestError",
        "TransportError",
    ]


def test_reasons_beyond_a_hundred_count_together_by_the_name_of_the_error() -> None:
    failed = FailedItems()
    for item in range(100_000):
        problem = f"problem {item}"
        bad, gone = attrs.evolve(BAD, errors=[problem]), attrs.evolve(GONE, detail=problem)
        failed.add(item, bad if item % 2 else gone)
    found = {each.reason: each for each in failed.groups(told)}
    assert len(found) == 102
    assert sum(each.count for each in found.values()) == 100_000
    assert found[Reason("BadRequestError", "other reasons")].count == 50_000 - 50
    assert found[Reason("TransportError", "other reasons")].places.startswith("100-100, 102-102")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            attrs.evolve(BAD, request_id="r-17", retry_after=2.5),
            "400 Bad Request (title too long)",
        ),
        (
            BadRequestError(CALL, status=400, reason="Bad Request", errors=["no video v1 here"]),
            "400 Bad Request (no video … here)",
        ),
        (
            BackendFetchFailedError(CALL, status=503, reason="Backend fetch failed"),
            "503 Backend fetch failed",
        ),
        (OutcomeUnknownError(CALL, doubt=GONE), "connection lost"),
        (
            MalformedResponseError(CALL, problem="result: missing", request_id="r-18"),
            "the answer cannot be read (result: missing)",
        ),
        (JournalError("the journal is full"), "the journal is full"),
    ],
    ids=["request id", "video id", "status", "unknown", "malformed", "journal"],
)
def test_a_cause_is_without_what_only_one_request_has(error: RestreamError, text: str) -> None:
    assert cause(error) == text


def test_of_changes_the_first_ones_are_named() -> None:
    failed = FailedChanges()
    for number in range(12):
        new = NewRestream(
            video_id=f"v{number}",
            title="YouTube",
            stream_url="rtmp://a.example.com/app",
            stream_key="key",
            status=True,
        )
        change = Change(
            action=Action.CREATE, video_id=new.video_id, title=new.title, wanted=new, error=BAD
        )
        failed.add(change, BAD)
    unread = Change(action=Action.KEEP, video_id="v12", title="YouTube", error=GONE)
    failed.add(unread, GONE)
    group, not_read = failed.groups()
    assert not_read.places == "read YouTube of video v12"
    assert group.count == 12
    assert group.places.startswith("create YouTube of video v0; create YouTube of video v1; ")
    assert group.places.endswith("of video v9; and 2 more")
