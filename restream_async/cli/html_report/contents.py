"""Private: what a report says of a run: the same numbers and words as the terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from restream_async.cli.html_report.failure_groups import (
    FailedItems,
    Group,
    Places,
    Reason,
)
from restream_async.cli.output.run_result import RunResult
from restream_async.cli.output.run_summary import Count, complaints, headline, origins

MOST_PLACES: Final = 30
"""Blocks of items that a report names for each reason."""
_NOT_SENT: Final = Reason("", "not sent: the run ended first")
_CHANGES_NOT_SENT: Final = Reason("", "not read or not sent: the run ended first")
_CUT_SHORT: Final = Reason("", "not sent, or in doubt: the run was stopped at once")


@attrs.frozen(kw_only=True)
class Contents:
    """What became of a run.

    Attributes:
        title: the command and its input.
        headline: the outcomes in one line.
        succeeded: whether all is as it was asked for.
        seconds: how long the run took.
        items: what the run works on, in the plural.
        numbers: the outcomes.
        remarks: numbers that explain the outcomes.
        failures: what failed, by reason.
        messages: problems that are no outcome.

    """

    title: str
    headline: str
    succeeded: bool
    seconds: float
    items: str
    numbers: Sequence[Count]
    remarks: Sequence[Count] = ()
    failures: Sequence[Group] = ()
    messages: Sequence[str] = ()


def creations(
    title: str,
    result: RunResult,
    failed: FailedItems,
    *,
    place: Callable[[int], str],
    places: Places,
) -> Contents:
    """Return the contents of a report on creations.

    Args:
        title: the command and its input.
        result: how the run went.
        failed: what failed.
        place: names an item of the input.
        places: names the places of items.

    """
    failures = [*failed.groups(places), *_not_sent(result, places)]
    return Contents(
        title=title,
        headline=headline(result).plain,
        succeeded=result.succeeded,
        seconds=result.seconds,
        items="Restreams",
        numbers=list(_numbers(result)),
        remarks=[count for count in origins(result) if count[0]],
        failures=failures,
        messages=list(complaints(result, place)),
    )


def unsent_changes(count: int) -> Iterator[Group]:
    """Yield changes that were not read or not sent, if there are any."""
    if count:
        yield Group(_CHANGES_NOT_SENT, count, "")


def _numbers(result: RunResult) -> Iterator[Count]:
    totals = result.totals
    yield result.total, "asked for"
    yield totals.created, "created"
    yield totals.existing, "existed before"
    yield totals.failed, "failed"
    rare = (
        (totals.created_earlier, "created by an earlier run"),
        (totals.in_doubt + result.unknown, "in doubt"),
        (totals.refused, "refused"),
        (totals.not_sent, "not sent"),
    )
    yield from (count for count in rare if count[0])


def _not_sent(result: RunResult, places: Places) -> Iterator[Group]:
    """Yield what was not sent. If the run was cut short, some of it may have been."""
    count = result.totals.not_sent + result.unknown
    if count:
        reason = _CUT_SHORT if result.unknown else _NOT_SENT
        yield Group(reason, count, places(result.not_sent))
