"""Private: carries out a plan or an apply with progress and stop signals."""

import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from rich.console import Console
from rich.text import Text

from restream_async import NewRestream, RestreamClient, RestreamError
from restream_async._wanted_state.run import WantedStateRun
from restream_async.cli.errors import describe, exit_code_of, outage_of
from restream_async.cli.html_report.run_report import NO_REPORT, Report
from restream_async.cli.input.check import SecondReading, check
from restream_async.cli.input.contradictions import without_contradictions
from restream_async.cli.input.destinations import reader_of
from restream_async.cli.input.formats import Format, LineReader
from restream_async.cli.input.source import InputSource
from restream_async.cli.output.change_output import ChangeOutput, Screen
from restream_async.cli.output.change_totals import ChangeTotals
from restream_async.cli.output.console import plural, say, say_error
from restream_async.cli.output.progress_rendering import STOPPING, WAITING
from restream_async.cli.output.run_summary import failures, headed
from restream_async.cli.output.video_progress import VideoProgress
from restream_async.cli.signals import StopSignals
from restream_async.stats import Stats


@attrs.frozen(kw_only=True)
class WantedInput:
    """A checked input, which can be read again and again."""

    source: InputSource
    reader: LineReader

    @classmethod
    def checked(
        cls,
        source: InputSource,
        format_: Format | None,
        destinations: Path | None,
        console: Console,
    ) -> "WantedInput":
        """Check every line, and that none contradicts another.

        Raises:
            CliError: a line is bad, or the input has no restreams.

        """
        reader = reader_of(source, format_, destinations)
        check(reader, source.lines(), console, screen=without_contradictions)
        return cls(source=source, reader=reader)

    def __iter__(self) -> Iterator[NewRestream]:
        """Yield the restreams.

        Raises:
            CliError: the input has changed since it was checked.

        """
        reading = SecondReading(self.reader.read(self.source.lines_again()))
        yield from reading
        # It must end the run: what was not read would look extra.
        if reading.error is not None:
            raise reading.error


@attrs.frozen(kw_only=True)
class RunEnd:
    """How a plan or an apply ended.

    Attributes:
        totals: the changes.
        videos: how many videos are wanted.
        seconds: how long it took.
        signal_code: the exit code for the signal that stopped the run, or None.
        cut_short: whether a second signal cancelled the requests in flight.
        error: the error that ended the run early, or None.
        stats: what the client did.

    """

    totals: ChangeTotals
    videos: int
    seconds: float
    signal_code: int | None
    cut_short: bool
    error: RestreamError | None
    stats: Stats

    @property
    def early_code(self) -> int | None:
        """The exit code of a run that ended early, or None."""
        if self.signal_code is not None:
            return self.signal_code
        return None if self.error is None else exit_code_of(self.error)

    @property
    def messages(self) -> list[str]:
        """The error that ended the run early, or why nothing succeeds, if any."""
        if self.error is not None:
            return [describe(self.error)]
        if self.totals.is_in_sync:
            return []
        outage = outage_of(self.stats, any_success=self.totals.any_read)
        return [outage] if outage else []

    def say_error(self) -> None:
        """Print the messages."""
        for message in self.messages:
            say_error(message)

    def with_remarks(self, headline: Text) -> Text:
        """Return a headline, and below it the numbers that need an explanation."""
        totals = self.totals
        text = headed(headline, totals.remarks())
        # The error that ended the run is printed on its own.
        if not totals.failures or self.error is not None:
            return text
        title = "Failed" if totals.applied else "Not read"
        return Text("\n").join([text, failures(title, totals.failures, totals.examples)])


async def carry_out(  # noqa: PLR0913 - what a run needs
    client: RestreamClient,
    run: WantedStateRun,
    output: ChangeOutput,
    screen: Screen,
    *,
    applied: bool,
    report: Report = NO_REPORT,
) -> RunEnd:
    """Carry out a run, show its progress, and pass on its changes.

    Args:
        client: the client of the run.
        run: the run.
        output: gets the changes.
        screen: where messages and progress are printed.
        applied: whether the run makes changes.
        report: records the run.

    Raises:
        JournalError: the run could not begin.
        CliError: the input cannot be read.

    """
    totals = ChangeTotals(applied)
    error: RestreamError | None = None
    start = time.monotonic()

    def stop() -> None:
        say(screen.progress, STOPPING)
        run.stop()

    def progress() -> str:
        return _progress(client.stats(), run, "Applying" if applied else "Reading")

    def ended() -> tuple[int, int]:
        not_made = totals.failures.total()
        return totals.results.total() - totals.unsent - not_made, not_made

    async with (
        StopSignals(stop) as signals,
        run,
        VideoProgress(screen.progress, progress),
        report.record(ended, client.stats),
    ):
        try:
            async for change in run:
                totals.add(change)
                report.add_change(change)
                if not await output.add(change):
                    run.stop()
        except RestreamError as reason:
            error = reason
    output.end()
    if signals.cut_short:
        output.abandon()
    return RunEnd(
        totals=totals,
        videos=run.videos,
        seconds=time.monotonic() - start,
        signal_code=signals.exit_code,
        cut_short=signals.cut_short,
        error=error,
        stats=client.stats(),
    )


def _progress(stats: Stats, run: WantedStateRun, doing: str) -> str:
    text = f"{doing}: {run.done:,} of {plural(run.videos, 'video')}"
    outage = outage_of(stats, any_success=stats.reached)
    return f"{text}; {outage}{WAITING}" if outage else text
