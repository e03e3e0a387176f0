import attrs
import pytest

from restream_async.cli.drive import Ride
from restream_async.cli.summary import complaints, summary
from restream_async.report import BulkCounts, Duplicate

ALL_WELL = Ride(
    total=1000,
    counts=BulkCounts(posted=900, confirmed=100),
    at_once=850,
    examples={},
    duplicates=(),
    unchecked=0,
    seconds=4.21,
    signal_code=None,
    cut_short=False,
)


def place(index: int) -> str:
    return f"line {index + 2}"


def test_a_person_reads_how_many_were_created_and_how() -> None:
    assert summary(ALL_WELL).plain.splitlines() == [
        "✓ 1,000 of 1,000 restreams created, 0 failed, in 4.2 s",
        "      850  by the first attempt",
        "       50  by a further attempt, after one that failed",
        "      100  whose answer was lost: looked for, and found",
    ]


def test_rarer_origins_are_told_where_there_are_any() -> None:
    counts = BulkCounts(posted=985, existing=5, from_journal=10, maybe_duplicate=2)
    lines = summary(attrs.evolve(ALL_WELL, counts=counts)).plain.splitlines()
    assert lines[4:6] == [
        "        5  that were there already",
        "       10  by an earlier run",
    ]
    assert lines[6].startswith("        2  of these perhaps twice")


def test_failures_are_told_by_kind_with_an_example_the_most_frequent_first() -> None:
    counts = BulkCounts(failed={f"Error{number}": number for number in range(1, 8)})
    ride = attrs.evolve(ALL_WELL, counts=counts, examples={"Error7": "401 \x1b[2J: no"})
    lines = summary(ride).plain.splitlines()
    assert lines[0] == "✗ 0 of 1,000 restreams created, 28 failed, in 4.2 s"
    assert lines[1:4] == [
        "Not created:",
        "        7  Error7, such as: 401 [2J: no",
        "        6  Error6, such as: Error6",
    ]
    assert lines[-1] == "        3  of other kinds"


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": BulkCounts(posted=999, failed={"ApiError": 1})},
        {"counts": BulkCounts(posted=999)},
        {"duplicates": (Duplicate(index=1, video_id="v1", kept=1, extra=(2,)),)},
    ],
)
def test_only_a_run_without_a_flaw_is_perfect(changes: dict[str, object]) -> None:
    assert ALL_WELL.is_perfect
    ride = attrs.evolve(ALL_WELL, **changes)  # type: ignore[arg-type]
    assert not ride.is_perfect
    assert summary(ride).plain.startswith("✗")


def test_extra_copies_are_named_with_their_line_and_ids() -> None:
    ride = attrs.evolve(
        ALL_WELL,
        duplicates=(
            Duplicate(index=1, video_id="v1", kept=1, extra=(7, "8")),
            Duplicate(index=2, video_id="v2", kept=9, extra=(), reported_failed=True),
        ),
        unchecked=3,
    )
    first, second, advice, third = complaints(ride, place)
    assert first == "line 3 (video v1) is there more than once: ids 1, 7, 8"
    assert second == "line 4 (video v2) was called failed, but turned up later: id 9"
    assert advice.endswith("delete what is too much")
    assert third.startswith("3 restreams could not be looked for once more")


def test_many_extra_copies_are_counted_rather_than_listed() -> None:
    copies = tuple(Duplicate(index=n, video_id="v", kept=n, extra=(-n,)) for n in range(25))
    said = list(complaints(attrs.evolve(ALL_WELL, duplicates=copies), place))
    assert len(said) == 22
    assert said[-2].startswith("5 more restreams turned up once too often")


def test_a_late_restream_that_is_there_once_is_not_to_be_deleted() -> None:
    late = Duplicate(index=1, video_id="v1", kept=9, extra=(), reported_failed=True)
    (said,) = complaints(attrs.evolve(ALL_WELL, duplicates=(late,)), place)
    assert "delete" not in said
