"""Private: shows how many videos are done: a line that is redrawn, or lines in a log."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from restream_async.cli.output.console import can_redraw
from restream_async.cli.output.progress_display import PlainDisplay
from restream_async.cli.output.ticker import Ticker

# Seconds between two updates.
_EVERY: Final = 0.125


class VideoProgress(Ticker):
    """Shows a text while its block runs, again and again."""

    def __init__(self, console: Console, text: Callable[[], str]) -> None:
        """Show on `console` what `text` returns."""
        super().__init__(_EVERY, self._show)
        self._text = text
        self._log = PlainDisplay(console)
        self._live: Live | None = None
        if can_redraw(console):
            # Standard output may be a file, and must be written as it is.
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False
            )
        self._spinner = Spinner("dots")

    async def __aenter__(self) -> Self:
        """Start showing it."""
        if self._live is not None:
            self._live.start()
        return await super().__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the line, and show the cursor again."""
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            if self._live is not None:
                self._live.stop()

    def _show(self) -> None:
        if self._live is None:
            self._log.offer(self._text())
        else:
            self._spinner.update(text=Text(self._text()))
            self._live.update(self._spinner, refresh=True)
