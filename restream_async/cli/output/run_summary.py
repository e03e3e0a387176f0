"""Private: the summary of a bulk run, in words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from rich.text import Text

from restream_async._bulk.report import Duplicate
from restream_async.cli.errors import describe
from restream_async.cli.hints import command
from restream_async.cli.output.console import format_duration, plural, safe
from restream_async.cli.output.run_result import RunResult

Count: TypeAlias = tuple[int, str]
"""A number, and what it counts."""

# Each kind of error is shown with one example; a longer table would not be read.
_MOST_KINDS: Final = 5
_MOST_DUPLICATES: Final = 20
_NUMBER_WIDTH: Final = 9


def summary(result: RunResult) -> Text:
    """Return a headline with the outcomes, and the numbers below it."""
    text = headed(headline(result), origins(result))
    totals = result.totals
    if totals.failed:
        text = Text("\n").join([text, failures("Not created", totals.failures, result.examples)])
    return text


def headline(result: RunResult) -> Text:
    """Return for example `✓ 4 restreams created, 2 existed already, in 1.2 s`."""
    totals = result.totals
    bad = "bold red"
    kinds = [
        (totals.created, "created", "bold"),
        (totals.existing, "existed already", "bold"),
        (totals.created_earlier, "created by an earlier run", "bold"),
        (totals.failed, "failed", bad),
        (totals.in_doubt + result.unknown, "in doubt", bad),
        (totals.refused, "refused", bad),
        (totals.not_sent, "not sent", bad),
    ]
    text = success_mark(success=result.succeeded)
    for number, (count, what, style) in enumerate(kind for kind in kinds if kind[0]):
        subject = f", {count:,}" if number else plural(count, "restream")
        text.append(f"{subject} {what}", style)
    return text.append(f", in {format_duration(result.seconds)}")


def success_mark(*, success: bool) -> Text:
    """Return a green tick or a red cross."""
    return Text("✓ ", "bold green") if success else Text("✗ ", "bold red")


def headed(head: Text, counts: Iterable[Count]) -> Text:
    """Return lines of numbers below a head; a number of 0 has no line."""
    return Text("\n").join([head, *(counted([count]) for count in counts if count[0])])


def counted(counts: Iterable[Count]) -> Text:
    """Return lines of numbers, each with what it counts."""
    lines = (
        Text(f"{count:>{_NUMBER_WIDTH},}  {what}", "" if count else "dim") for count, what in counts
    )
    return Text("\n").join(lines)


def failures(title: str, numbers: Mapping[str, int], examples: Mapping[str, str]) -> Text:
    """Return how many failed of each kind, with an example of each, below a title.

    Args:
        title: what did not happen.
        numbers: how many, by the name of the error.
        examples: the text of an error of each name.

    """
    kinds = sorted(numbers.items(), key=lambda kind: kind[1], reverse=True)
    counts = [
        (count, f"{name}, such as: {safe(examples.get(name, name))}")
        for name, count in kinds[:_MOST_KINDS]
    ]
    rest = sum(count for _, count in kinds[_MOST_KINDS:])
    return headed(Text(f"{title}:", "bold"), [*counts, (rest, "of other kinds")])


def complaints(result: RunResult, place: Callable[[int], str]) -> Iterator[str]:
    """Yield the problems that no outcome shows; `place` names an item of the input."""
    for duplicate in result.duplicates[:_MOST_DUPLICATES]:
        yield _describe_duplicate(duplicate, place(duplicate.index))
    more = len(result.duplicates) - _MOST_DUPLICATES
    if more > 0:
        restreams, list_ = plural(more, "more restream"), command("list", "VIDEO_ID")
        yield f"{restreams} like these: list their videos ({list_}) to see them"
    if any(len(duplicate.extra) > len(duplicate.deleted) for duplicate in result.duplicates):
        yield (
            "these copies existed before, or the service stored them after it had answered with "
            f"an error: delete those that should not be there ({command('delete', 'ID')})"
        )
    if result.unchecked:
        yield (
            f"{plural(result.unchecked, 'restream')} could not be checked again after a lost "
            f"answer: list their videos ({command('list', 'VIDEO_ID')}) to see whether any exists "
            "twice"
        )
    if result.error is not None:
        yield describe(result.error)
    elif result.outage and not result.succeeded:
        yield result.outage


def _describe_duplicate(duplicate: Duplicate, place: str) -> str:
    where = f"{place} (video {duplicate.video_id})"
    remaining = (each for each in duplicate.extra if each not in duplicate.deleted)
    ids = ", ".join(map(str, (duplicate.kept, *remaining)))
    if duplicate.reported_failed:
        return f"{where} exists, although it was reported as failed or in doubt: id {ids}"
    if set(duplicate.deleted) == set(duplicate.extra):
        deleted = ", ".join(map(str, duplicate.deleted))
        return f"{where} existed more than once: id {duplicate.kept} stays, {deleted} was deleted"
    return f"{where} exists more than once: ids {ids}"


def origins(result: RunResult) -> Iterator[Count]:
    """Yield how those that exist came to be, and what is remarkable; a number may be 0."""
    counts = result.counts
    if counts.posted:
        yield result.by_first_attempt, "by the first attempt"
        yield counts.posted - result.by_first_attempt, "by a later attempt, after one that failed"
    yield counts.confirmed, "found to exist after a lost answer"
    yield (
        result.different,
        "with another title or status than requested: see `differences` in the outcomes",
    )
    yield (
        counts.maybe_duplicate,
        "that may exist twice, because the check failed too: see `maybeDuplicate` in the outcomes",
    )
