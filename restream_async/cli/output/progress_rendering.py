"""Private: draws a snapshot of a run: as one line, or as a bar with numbers below it."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from restream_async.cli.output.console import format_duration
from restream_async.cli.output.outcome_totals import Totals
from restream_async.cli.output.progress_state import Snapshot

STOPPING: Final = "Stopping: requests in flight are finished first. Ctrl-C again stops at once."
WAITING: Final = "; waiting for it to recover"
_RECONCILING: Final = "checking once more those whose answer was lost"
# A longer bar is no easier to read.
_WIDEST_BAR: Final = 60
# Columns below which the numbers stand below each other.
_NARROW: Final = 72


def line(snapshot: Snapshot) -> str:
    """Return a snapshot as one line."""
    stats = snapshot.stats
    parts = [f"{count:,} {name}" for name, count, _ in _outcomes(snapshot.totals) if count]
    if stats.retries:
        parts.append("1 retry" if stats.retries == 1 else f"{stats.retries:,} retries")
    if not snapshot.over:
        parts.append(f"{stats.in_flight:,} in flight (limit {stats.limit:,})")
    if snapshot.rate is not None:
        parts.append(_rate(snapshot))
    if snapshot.over:
        parts.append(f"took {format_duration(snapshot.elapsed)}")
    elif snapshot.stopping:
        parts.append("stopping")
    elif snapshot.reconciling:
        parts.append(_RECONCILING)
    elif snapshot.outage:
        parts.append(f"{snapshot.outage}{WAITING}")
    elif snapshot.time_left is not None:
        parts.append(f"{_time_left(snapshot)} left")
    return f"{_percent(snapshot):>5}  {snapshot.done:,} of {snapshot.total:,}: {', '.join(parts)}"


def fields(snapshot: Snapshot) -> dict[str, object]:
    """Return the numbers of a snapshot, as fields of a log line."""
    totals, stats = snapshot.totals, snapshot.stats
    numbers = {
        "total": snapshot.total,
        "done": snapshot.done,
        "created": totals.created,
        "existing": totals.existing + totals.created_earlier,
        "failed": totals.failed + totals.refused,
        "in_doubt": totals.in_doubt,
        "not_sent": totals.not_sent,
        "retries": stats.retries,
        "in_flight": stats.in_flight,
        "limit": stats.limit,
        "rate": snapshot.rate and round(snapshot.rate, 1),
        "eta": snapshot.time_left and round(snapshot.time_left, 1),
    }
    return {f"restream_{name}": value for name, value in numbers.items()}


def picture(snapshot: Snapshot, width: int) -> RenderableType:
    """Return a snapshot as a bar with numbers below it, for a terminal of `width` columns."""
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total=snapshot.total, completed=snapshot.done, width=bar_width(width)),
        Text(_percent(snapshot), "bold"),
        Text(f"{snapshot.done:,} of {snapshot.total:,}"),
    )
    parts: list[RenderableType] = [
        head,
        "",
        _numbers(snapshot, columns=1 if width < _NARROW else 3),
    ]
    if snapshot.stopping and not snapshot.over:
        parts.append(Text(f"\n{STOPPING}", "yellow"))
    elif snapshot.reconciling:
        parts.append(Text(f"\nAll sent. {_capitalized(_RECONCILING)}.", "dim"))
    elif snapshot.outage:
        parts.append(Text(f"\n{_capitalized(snapshot.outage)}{WAITING}.", "yellow"))
    # At the right margin, the ^C that a terminal echoes would begin a new line.
    return Constrain(Padding(Group(*parts), (0, 0, 0, 2), expand=False), width - len("^C"))


def bar_width(columns: int) -> int:
    """Return the width of a bar that leaves room for numbers on a terminal of `columns`."""
    return max(10, min(_WIDEST_BAR, columns - 32))


def _numbers(snapshot: Snapshot, *, columns: int) -> Table:
    stats = snapshot.stats
    created, failed, *rare = (
        (name, f"{count:,}", style if count else "")
        for name, count, style in _outcomes(snapshot.totals)
    )
    in_flight = ("in flight", f"{stats.in_flight:,} of {stats.limit:,}", "")
    retries = ("retries", f"{stats.retries:,}", "yellow" if stats.retries else "")
    rate = ("rate", _rate(snapshot), "")
    if snapshot.over:
        # The summary that follows has the outcomes.
        took = ("took", format_duration(snapshot.elapsed), "")
        cells = [*([retries] if stats.retries else []), rate, took]
    else:
        time_left = ("time left", _time_left(snapshot), "")
        # During the run, each number keeps its place.
        cells = [created, in_flight, rate, failed, retries, time_left, *rare]
    table = Table.grid(padding=(0, 1))
    for _ in range(columns):
        table.add_column(style="dim", min_width=9)
        table.add_column(justify="right", min_width=9)
        table.add_column(width=2)
    for start in range(0, len(cells), columns):
        row: list[RenderableType] = []
        for name, value, style in cells[start : start + columns]:
            row += [name, Text(value, style), ""]
        table.add_row(*row)
    return table


def _outcomes(totals: Totals) -> Iterator[tuple[str, int, str]]:
    """Yield the name, the number and the style of each kind of outcome; rare kinds if any."""
    yield "created", totals.created, "bold green"
    yield "failed", totals.failed, "bold red"
    rare = [
        ("existing", totals.existing + totals.created_earlier, "green"),
        ("in doubt", totals.in_doubt, "bold red"),
        ("refused", totals.refused, "bold red"),
        ("not sent", totals.not_sent, "yellow"),
    ]
    yield from (each for each in rare if each[1])


def _capitalized(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _percent(snapshot: Snapshot) -> str:
    # Rounded down: 100 % means that all is done.
    return f"{int(snapshot.share * 100)} %"


def _rate(snapshot: Snapshot) -> str:
    if snapshot.rate is None:
        return "?/s"
    return f"{snapshot.rate:,.0f}/s" if snapshot.rate >= 10 else f"{snapshot.rate:.1f}/s"  # noqa: PLR2004 - two digits are enough


def _time_left(snapshot: Snapshot) -> str:
    return "?" if snapshot.time_left is None else format_duration(snapshot.time_left)
