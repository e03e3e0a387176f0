import pytest

from restream_async.changes import Change
from restream_async.cli.output.change_totals import ChangeTotals, Result, result_of
from tests.helpers.changes import (
    LOST,
    NOT_SENT,
    UNREADABLE,
    create,
    disable,
    duplicate,
    enable,
    existing,
    extra,
    keep,
    rotate,
    unread,
)


def totals(*changes: Change, applied: bool = False) -> ChangeTotals:
    found = ChangeTotals(applied)
    for each in changes:
        found.add(each)
    return found


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (create(), Result.DONE),
        (keep(), Result.UNCHANGED),
        (rotate(needs="rotate"), Result.NEEDS_OPTION),
        (extra(needs="prune"), Result.NEEDS_OPTION),
        (create(error=UNREADABLE), Result.FAILED),
        (create(error=LOST), Result.UNKNOWN),
        (create(error=NOT_SENT), Result.NOT_SENT),
        (unread(), Result.NOT_READ),
        (unread(error=NOT_SENT), Result.NOT_READ),
    ],
)
def test_a_change_has_one_result(change: Change, result: Result) -> None:
    assert result_of(change) is result


def test_the_sentence_of_a_plan_says_what_is_to_be_done() -> None:
    found = totals(
        *[create()] * 1000,
        enable(),
        disable(),
        rotate(),
        rotate(needs="rotate"),
        extra(),
        extra(needs="prune"),
        duplicate(needs="prune"),
        unread(),
        *[keep()] * 147,
    )
    assert found.sentence == (
        "1,000 to create, 1 to enable, 1 to disable, 1 to rotate, 1 to delete, 1 needs --rotate, "
        "1 extra, 1 duplicate, 1 not read, 147 unchanged"
    )


def test_the_sentence_of_an_apply_says_what_was_done() -> None:
    found = totals(
        create(),
        enable(),
        disable(),
        rotate(),
        extra(),
        create(error=UNREADABLE),
        create(error=LOST),
        create(error=NOT_SENT),
        *[rotate(needs="rotate")] * 2,
        *[duplicate(needs="prune")] * 2,
        applied=True,
    )
    assert found.sentence == (
        "1 created, 1 enabled, 1 disabled, 1 rotated, 1 deleted, 1 failed, 1 in doubt, 1 not sent, "
        "2 need --rotate, 2 duplicates"
    )
    assert found.failed == 3


def test_what_needs_an_explanation_has_one() -> None:
    found = totals(
        rotate(needs="rotate"),
        extra(needs="prune"),
        duplicate(needs="prune"),
        keep(existing=existing("Another")),
        keep(is_unclear=True),
    )
    remarks = {what: count for count, what in found.remarks()}
    assert [*remarks.values()] == [1] * 5
    assert [words for words in remarks if "--rotate" in words] == [
        "with another stream key: --rotate replaces it"
    ]


def test_a_second_copy_with_another_title_is_a_duplicate_and_no_more() -> None:
    assert totals(duplicate(existing=existing("Another"))).titles == 0


@pytest.mark.parametrize(
    ("changes", "is_in_sync"),
    [
        ([], True),
        ([keep(), extra(needs="prune")], True),
        ([keep(), create()], False),
        ([create(), keep()], False),
        ([rotate(needs="rotate")], False),
        ([unread()], False),
    ],
)
def test_in_sync_means_that_nothing_is_to_be_done(
    *, changes: list[Change], is_in_sync: bool
) -> None:
    assert totals(*changes).is_in_sync is is_in_sync


def test_what_apply_has_done_is_in_sync() -> None:
    assert totals(create(), rotate(), applied=True).is_in_sync
    assert not totals(create(), rotate(error=UNREADABLE), applied=True).is_in_sync
    assert not totals(rotate(needs="rotate"), applied=True).is_in_sync
