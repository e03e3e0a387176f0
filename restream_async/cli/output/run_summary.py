"""What a run came to, in words."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from rich.text import Text

from restream_async._bulk.report import Duplicate
from restream_async.cli.errors import told, trouble_of_service
from restream_async.cli.hints import command
from restream_async.cli.output.console import lasting, plural, safe
from restream_async.cli.run_with_progress import RunSummary

Count: TypeAlias = tuple[int, str]
"""A number, and what it counts."""

# Errors of one kind are shown by one example; more kinds than this are a table nobody reads.
_MOST_KINDS: Final = 5
_MOST_DUPLICATES: Final = 20
_WIDTH: Final = 9


def summary(ride: RunSummary) -> Text:
    """Return what became of all restreams: a headline, and the numbers under it."""
    text = headed(headline(ride), _origins(ride))
    if ride.totals.failed:
        text = Text("\n").join([text, headed(Text("Not created:", "bold"), _failures(ride))])
    return text


def headline(ride: RunSummary) -> Text:
    """Return for example `✓ 4 restreams created, 2 existed already, in 1.2 s`."""
    totals = ride.totals
    bad = "bold red"
    kinds = [
        (totals.created, "created", "bold"),
        (totals.existing, "existed already", "bold"),
        (totals.earlier, "created by an earlier run", "bold"),
        (totals.failed, "failed", bad),
        (totals.in_doubt + ride.unknown, "in doubt", bad),
        (totals.refused, "refused", bad),
        (totals.not_sent, "not sent", bad),
    ]
    text = verdict_mark(good=ride.is_perfect)
    there = [kind for kind in kinds if kind[0]]
    for number, (count, what, style) in enumerate(there):
        counted_ = f", {count:,}" if number else plural(count, "restream")
        text.append(f"{counted_} {what}", style)
    return text.append(f", in {lasting(ride.seconds)}")


def verdict_mark(*, good: bool) -> Text:
    """Return a green tick or a red cross."""
    return Text("✓ ", "bold green") if good else Text("✗ ", "bold red")


def headed(head: Text, rows: Iterable[Count]) -> Text:
    """Set numbers under a head, each with what it counts; what there is none of has no line."""
    return Text("\n").join([head, *(counted([row]) for row in rows if row[0])])


def counted(rows: Iterable[Count]) -> Text:
    """Set numbers under each other, each with what it counts."""
    lines = (Text(f"{count:>{_WIDTH},}  {what}", "" if count else "dim") for count, what in rows)
    return Text("\n").join(lines)


def complaints(ride: RunSummary, place: Callable[[int], str]) -> Iterator[str]:
    """Return what is wrong although no outcome says so; `place` names an item of the input."""
    for duplicate in ride.duplicates[:_MOST_DUPLICATES]:
        yield _complaint(duplicate, place(duplicate.index))
    more = len(ride.duplicates) - _MOST_DUPLICATES
    if more > 0:
        restreams, videos = plural(more, "more restream"), command("list", "VIDEO_ID")
        yield f"{restreams} like these: list their videos ({videos}) to see them"
    if any(len(duplicate.extra) > len(duplicate.deleted) for duplicate in ride.duplicates):
        yield (
            "the service stored these copies after it had answered with an error, or they existed "
            f"before: delete those that should not be there ({command('delete', 'ID')})"
        )
    if ride.unchecked:
        yield (
            f"{plural(ride.unchecked, 'restream')} could not be checked again after a lost answer: "
            f"list their videos ({command('list', 'VIDEO_ID')}) to see whether any exists twice"
        )
    if ride.error is not None:
        yield told(ride.error)
    elif ride.last_error and not ride.is_perfect:
        yield trouble_of_service(ride.last_error, reached=ride.reached)


def _complaint(duplicate: Duplicate, place: str) -> str:
    where = f"{place} (video {duplicate.video_id})"
    there = (each for each in duplicate.extra if each not in duplicate.deleted)
    ids = ", ".join(map(str, (duplicate.kept, *there)))
    if duplicate.reported_failed:
        return f"{where} exists, although it was reported as failed or in doubt: id {ids}"
    if set(duplicate.deleted) == set(duplicate.extra):
        deleted = ", ".join(map(str, duplicate.deleted))
        return f"{where} existed more than once: id {duplicate.kept} stays, deleted {deleted}"
    return f"{where} exists more than once: ids {ids}"


def _origins(ride: RunSummary) -> Iterator[Count]:
    counts = ride.counts
    if counts.posted:
        yield ride.at_once, "by the first attempt"
        yield counts.posted - ride.at_once, "by a further attempt, after one that failed"
    yield counts.confirmed, "found to exist after a lost answer"
    yield (
        ride.different,
        "with another title or status than asked: see `differences` in the outcomes",
    )
    yield (
        counts.maybe_duplicate,
        "that may exist twice, as the check failed too: see `maybeDuplicate` in the outcomes",
    )


def _failures(ride: RunSummary) -> Iterator[Count]:
    kinds = sorted(ride.totals.failures.items(), key=lambda kind: kind[1], reverse=True)
    for name, count in kinds[:_MOST_KINDS]:
        yield count, f"{name}, such as: {safe(ride.examples.get(name, name))}"
    rest = sum(count for _, count in kinds[_MOST_KINDS:])
    if rest:
        yield rest, "of other kinds"
