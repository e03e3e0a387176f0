"""Showing how a run stands: redrawn in place on a terminal, as plain lines elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from restream_async.cli.errors import trouble_of_service
from restream_async.cli.output.console import LOG_EVERY, is_lively, lasting, say, time_of_day
from restream_async.cli.output.progress_state import Meter, Snapshot
from restream_async.cli.output.totals import Totals
from restream_async.stats import Stats

_LIVE_EVERY: Final = 0.125
# A longer bar is no easier to read.
_WIDEST_BAR: Final = 60
# Below this, the numbers stand under each other.
_NARROW: Final = 72
_LOOKING: Final = "All sent. Checking once more those whose answer was lost."
STOPPING: Final = "Stopping: requests in flight are finished first. Ctrl-C again stops at once."


class Display(Protocol):
    """Where progress is shown."""

    every: float
    """Seconds between two looks."""

    def open(self) -> None:
        """Begin."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show how it stands now."""
        ...

    def note(self, text: str) -> None:
        """Say something in between."""
        ...

    def close(self) -> None:
        """Leave what was shown last, and let others write."""
        ...


def display_on(console: Console, *, quiet: bool = False) -> Display:
    """Return the display that suits a console."""
    if quiet:
        return QuietDisplay(console)
    return LiveDisplay(console) if is_lively(console) else PlainDisplay(console)


class QuietDisplay:
    """Shows no progress; what must be said is said all the same."""

    every: float = 3600.0

    def __init__(self, console: Console) -> None:
        """Write notes to `console`."""
        self._console = console

    def open(self) -> None:
        """Nothing to prepare."""

    def show(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Print a line."""
        say(self._console, text)

    def close(self) -> None:
        """Nothing to let go of."""


class PlainDisplay(QuietDisplay):
    """One line every ten seconds with the time of day, and a last one: for logs, pipes and CI."""

    every: float = LOG_EVERY

    def __init__(self, console: Console, clock: Callable[[], str] = time_of_day) -> None:
        """Write to `console`; `clock` returns the time of day."""
        super().__init__(console)
        self._clock = clock

    def show(self, snapshot: Snapshot) -> None:
        """Print a line."""
        self.note(line(snapshot))

    def note(self, text: str) -> None:
        """Print a line, with the time of day."""
        super().note(f"{self._clock()}  {text}")


class LiveDisplay:
    """A bar and the numbers under it, redrawn in place."""

    every: float = _LIVE_EVERY

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        # The outcomes on stdout go round it; a warning on stderr must not tear it apart.
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)

    def open(self) -> None:
        """Begin to draw; the cursor is hidden."""
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw anew."""
        self._live.update(picture(snapshot, self._console.width), refresh=True)

    def note(self, text: str) -> None:
        """Print a line above the picture."""
        say(self._console, text)

    def close(self) -> None:
        """Leave the last picture standing; the cursor is back."""
        self._live.stop()
        self._console.print()


class Ticker:
    """Shows a run on a display while its block lasts, and once more at its end."""

    _task: asyncio.Task[None]

    def __init__(self, display: Display, meter: Meter) -> None:
        """Read `meter` every so often."""
        self._display = display
        self._meter = meter

    async def __aenter__(self) -> Self:
        """Begin."""
        self._display.open()
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the end, and close the display."""
        try:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._display.show(self._meter.read(over=True))
        finally:
            self._display.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._display.every)
            self._display.show(self._meter.read())


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
        parts.append(f"took {lasting(snapshot.elapsed)}")
    elif snapshot.stopping:
        parts.append("stopping")
    elif snapshot.looking_again:
        parts.append("checking once more those whose answer was lost")
    elif snapshot.held:
        parts.append(_held(stats))
    elif snapshot.left is not None:
        parts.append(f"{_left(snapshot)} left")
    return f"{_share(snapshot):>5}  {snapshot.done:,} of {snapshot.total:,}: {', '.join(parts)}"


def picture(snapshot: Snapshot, width: int) -> RenderableType:
    """Return a snapshot as a bar with the numbers under it, for so many columns."""
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total=snapshot.total, completed=snapshot.done, width=bar_width(width)),
        Text(_share(snapshot), "bold"),
        Text(f"{snapshot.done:,} of {snapshot.total:,}"),
    )
    parts: list[RenderableType] = [
        head,
        "",
        _numbers(snapshot, columns=1 if width < _NARROW else 3),
    ]
    if snapshot.stopping and not snapshot.over:
        parts.append(Text(f"\n{STOPPING}", "yellow"))
    elif snapshot.looking_again:
        parts.append(Text(f"\n{_LOOKING}", "dim"))
    elif snapshot.held:
        held = _held(snapshot.stats)
        parts.append(Text(f"\n{held[0].upper()}{held[1:]}.", "yellow"))
    # At the right margin, the ^C that a terminal echoes would begin a new line.
    return Constrain(Padding(Group(*parts), (0, 0, 0, 2), expand=False), width - len("^C"))


def bar_width(columns: int) -> int:
    """Return how wide a bar may be on a terminal of so many columns, with numbers beside it."""
    return max(10, min(_WIDEST_BAR, columns - 32))


def _numbers(snapshot: Snapshot, *, columns: int) -> Table:
    stats = snapshot.stats
    took = ("took", lasting(snapshot.elapsed), "")
    time = took if snapshot.over else ("time left", _left(snapshot), "")
    created, failed, *others = (
        (name, f"{count:,}", style if count else "")
        for name, count, style in _outcomes(snapshot.totals)
    )
    # While it goes on, each number keeps its place; at the end, the summary says what there was.
    in_flight = ("in flight", f"{stats.in_flight:,} of {stats.limit:,}", "")
    retries = ("retries", f"{stats.retries:,}", "yellow" if stats.retries else "")
    rate = ("rate", _rate(snapshot), "")
    cells = [created, in_flight, rate, failed, retries, time, *others]
    if snapshot.over:
        cells = [cell for cell in (retries, rate, time) if cell[1] != "0"]
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
    """Yield the name, the number and the style of each kind of outcome; rare ones if any."""
    yield "created", totals.created, "bold green"
    yield "failed", totals.failed, "bold red"
    rare = [
        ("existing", totals.existing + totals.earlier, "green"),
        ("in doubt", totals.in_doubt, "bold red"),
        ("refused", totals.refused, "bold red"),
        ("not sent", totals.not_sent, "yellow"),
    ]
    yield from (each for each in rare if each[1])


def _held(stats: Stats) -> str:
    trouble = trouble_of_service(stats.last_error, reached=stats.reached)
    return f"{trouble}; waiting for it"


def _share(snapshot: Snapshot) -> str:
    # Not rounded up: 100 % is when all is done.
    return f"{int(snapshot.share * 100)} %"


def _rate(snapshot: Snapshot) -> str:
    if snapshot.rate is None:
        return "?/s"
    return f"{snapshot.rate:,.0f}/s" if snapshot.rate >= 10 else f"{snapshot.rate:.1f}/s"  # noqa: PLR2004 - two digits are enough


def _left(snapshot: Snapshot) -> str:
    return "?" if snapshot.left is None else lasting(snapshot.left)
