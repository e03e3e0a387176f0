"""Private: shows the progress of a run: a picture on a terminal, lines elsewhere."""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live

from restream_async.cli.output.console import can_redraw, say
from restream_async.cli.output.log_format import logs_all_lines
from restream_async.cli.output.progress_rendering import fields, line, picture
from restream_async.cli.output.progress_state import ProgressMeter, Snapshot
from restream_async.cli.output.ticker import Ticker

# Seconds between two updates: of lines in a log, of lines on a terminal, and of a picture.
LOG_EVERY: Final = 10.0
_TERMINAL_EVERY: Final = 2.0
_PICTURE_EVERY: Final = 0.125

_log: Final = logging.getLogger("restream_async.cli.progress")


class Display(Protocol):
    """Shows the progress of a run."""

    every: float
    """Seconds between two updates."""

    def open(self) -> None:
        """Start."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the progress."""
        ...

    def note(self, text: str) -> None:
        """Print a message."""
        ...

    def close(self) -> None:
        """Keep what was shown last, and release the console."""
        ...


def display_on(console: Console, *, quiet: bool = False) -> Display:
    """Return the display that suits a console."""
    if quiet:
        return QuietDisplay(console)
    if logs_all_lines():
        return LogDisplay(console)
    return LiveDisplay(console) if can_redraw(console) else PlainDisplay(console)


class QuietDisplay:
    """Prints messages, but no progress."""

    every: float = 3600.0

    def __init__(self, console: Console) -> None:
        """Print on `console`."""
        self._console = console

    def open(self) -> None:
        """Do nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Print a line."""
        say(self._console, text)

    def close(self) -> None:
        """Do nothing."""


class PlainDisplay(QuietDisplay):
    """Prints progress as lines: every two seconds on a terminal, every ten with the time in a log.

    A ticker shows a run on it. A loop that has no ticker calls `offer` with a text of its own.
    """

    def __init__(
        self,
        console: Console,
        *,
        now: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
    ) -> None:
        """Print on `console`; `now` returns seconds, `time_of_day` for example `14:05:09`."""
        super().__init__(console)
        self.every = _TERMINAL_EVERY if can_redraw(console) else LOG_EVERY
        self._now = now
        self._time_of_day = time_of_day
        self._last_offer = now()

    def show(self, snapshot: Snapshot) -> None:
        """Print a line."""
        self.note(line(snapshot))

    def offer(self, text: str) -> None:
        """Print a line, unless the last one was less than `every` seconds ago."""
        if self._now() - self._last_offer >= self.every:
            self._last_offer = self._now()
            self.note(text)

    def note(self, text: str) -> None:
        """Print a line."""
        is_log = not can_redraw(self._console)
        super().note(f"{self._time_of_day()}  {text}" if is_log else text)


class LogDisplay(QuietDisplay):
    """Logs the progress every ten seconds, with its numbers as fields."""

    every: float = LOG_EVERY

    def show(self, snapshot: Snapshot) -> None:
        """Log the progress."""
        _log.info("%s", line(snapshot).strip(), extra=fields(snapshot))


class LiveDisplay:
    """Redraws a bar with numbers below it."""

    every: float = _PICTURE_EVERY

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        # Only standard error is redirected: a warning there would tear the picture apart, while
        # the outcomes on standard output must be written as they are.
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)

    def open(self) -> None:
        """Start drawing, and hide the cursor."""
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw."""
        self._live.update(picture(snapshot, self._console.width), refresh=True)

    def note(self, text: str) -> None:
        """Print a line above the picture."""
        say(self._console, text)

    def close(self) -> None:
        """Keep the last picture, and show the cursor again."""
        self._live.stop()
        self._console.print()


class ProgressTicker(Ticker):
    """Updates a display while its block runs, and once more at the end."""

    def __init__(self, display: Display, meter: ProgressMeter) -> None:
        """Show snapshots of `meter` on `display`."""
        super().__init__(display.every, lambda: display.show(meter.read()))
        self._display = display
        self._meter = meter

    async def __aenter__(self) -> Self:
        """Open the display, and start to update it."""
        self._display.open()
        return await super().__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the end, and close the display."""
        try:
            await super().__aexit__(kind, error, trace)
            self._display.show(self._meter.read(over=True))
        finally:
            self._display.close()
