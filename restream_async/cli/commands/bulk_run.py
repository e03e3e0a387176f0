"""Private: a `bulk` run: writes the outcomes, and says how the run ended and what to do next."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
from rich.console import Console

from restream_async import Created, JournalError, Outcome, OutcomeUnknownError, RestreamClient
from restream_async._bulk.repeats import Repeats
from restream_async._journal.journal import Journal
from restream_async.cli.errors import brief, system_reason
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.html_report.contents import MOST_PLACES, Contents, creations
from restream_async.cli.html_report.run_report import Report
from restream_async.cli.input.check import SecondReading
from restream_async.cli.input.failed_lines import FailedLines
from restream_async.cli.input.line_numbers import LineNumbers
from restream_async.cli.output.console import plural, safe, say, say_copyable, say_error
from restream_async.cli.output.line_writer import LineWriter
from restream_async.cli.output.outcome_file import OutcomeFile
from restream_async.cli.output.outcome_lines import outcome_line, outcome_word
from restream_async.cli.output.outcome_totals import is_not_sent
from restream_async.cli.output.progress_display import Display, LiveDisplay, display_on
from restream_async.cli.output.run_result import RunResult, Span
from restream_async.cli.output.run_summary import complaints, summary
from restream_async.cli.run_with_progress import run_with_progress

_MOST_FAILURES: Final = 20
_ALL_OUTCOMES: Final = "To have every outcome in a file, add --output PATH."


@attrs.define(kw_only=True)
class BulkCommandRun:
    """Creates the restreams of a checked input."""

    client: RestreamClient
    reading: SecondReading
    failed: FailedLines
    journal: Path | None
    repair: bool
    ensure: bool
    repeats: Repeats
    lines: LineNumbers
    input_name: str
    has_connection_options: bool
    outcome_file: OutcomeFile
    report: Report
    console: Console
    quiet: bool
    _writer: LineWriter | None = attrs.field(default=None, init=False)

    async def run(self) -> int:
        """Create everything, write the outcomes, and return the exit code."""
        display = display_on(self.console, quiet=self.quiet)
        # If outcomes and progress share a terminal, an outcome must not tear the picture apart.
        shares_terminal = isinstance(display, LiveDisplay) and self.outcome_file.leads_to(
            self.console.file.fileno()
        )
        failures = _FailureNotes(display, self._place)
        run = self.client.create_many(
            self.reading,
            journal=self.journal,
            repair=self.repair,
            ensure=self.ensure,
            repeats=self.repeats,
        )
        async with contextlib.AsyncExitStack() as stack:

            async def open_output(journal: Journal | None) -> None:
                if self.outcome_file.only_failures:
                    return
                descriptor = await self.outcome_file.open(stack, journal)
                if not shares_terminal:
                    self._writer = await stack.enter_async_context(LineWriter(descriptor))

            async def on_outcome(outcome: Outcome) -> bool:
                self._note_failed(outcome)
                if self.outcome_file.only_failures:
                    failures.add(outcome)
                    return True
                text = outcome_line(outcome, self.lines[outcome.index])
                if self._writer is not None:
                    return await self._writer.write(text)
                # The terminal breaks the line: a line break of ours would be copied with it.
                self.console.print(text, soft_wrap=True)
                return True

            # Opened under the lock of the journal: another run may be writing to the same file.
            run.before_reading = open_output
            async with self.client:
                result = await run_with_progress(
                    self.client,
                    run,
                    total=len(self.lines),
                    display=display,
                    report=self.report,
                    on_outcome=on_outcome,
                )
            if result.cut_short and self._writer is not None:
                self._writer.abandon()
        for duplicate in result.duplicates:
            if duplicate.reported_failed:
                self.failed.remove(self.lines[duplicate.index])
        failures.print_rest(self.console)
        self._print_end(result)
        console = None if self.quiet else self.console
        has_report = self.report.finish(console, lambda: self._contents(result))
        return self._exit_code(result, has_report=has_report)

    def _note_failed(self, outcome: Outcome) -> None:
        # An outcome that may exist, or was not sent, is left to the same command.
        if outcome_word(outcome) == "failed":
            self.failed.add(self.lines[outcome.index])

    def _exit_code(self, result: RunResult, *, has_report: bool) -> int:
        if result.signal_code is not None:
            return result.signal_code
        if self.reading.error is not None:
            return self.reading.error.code
        if result.error is not None and not isinstance(result.error, JournalError):
            return ExitCode.USAGE
        is_done = result.succeeded and self._write_error is None and has_report
        return ExitCode.DONE if is_done else ExitCode.FAILED

    @property
    def _write_error(self) -> OSError | None:
        return None if self._writer is None else self._writer.error

    def _print_end(self, result: RunResult) -> None:
        if not self.quiet:
            self._print_summary(result)
        for message in (
            *complaints(result, self._place),
            *self._not_done(result),
            *self._not_written(result),
        ):
            say_error(message)
        is_unfinished = result.totals.exist < result.total or result.error is not None
        if is_unfinished or self._write_error is not None:
            say(self.console, self._how_to_go_on(result))
        self._print_rejects()

    def _print_summary(self, result: RunResult) -> None:
        say(self.console, summary(result))
        has_details = result.different or result.counts.maybe_duplicate
        if self.outcome_file.only_failures and has_details:
            say(self.console, _ALL_OUTCOMES)
        if self.journal is None:
            return
        say_copyable(self.console, "Journal:", str(self.journal))
        # undo leaves restreams alone that the run merely found.
        if result.totals.created or result.totals.created_earlier:
            same = ", with the same connection options" if self.has_connection_options else ""
            undo = command("undo", str(self.journal))
            say_copyable(self.console, f"To delete what was created{same}:", undo)

    def _print_rejects(self) -> None:
        """Copy the lines that failed, and print how to go on with them."""
        if problem := self.failed.copy():
            say_error(problem)
        file = self.failed.file
        if file.count:
            same = ", with the same connection options" if self.has_connection_options else ""
            one = file.count == 1
            lines = (
                "the line that failed in a file of its"
                if one
                else f"the {file.count:,} lines that failed in a file of their"
            )
            say(self.console, f"Or correct {lines} own, and run it{same}:")
            self.console.print(command("bulk", str(file.path), "--ensure"), soft_wrap=True)

    def _how_to_go_on(self, result: RunResult) -> str:
        totals = result.totals
        # If every failure was rejected by the service, none of them can succeed unchanged.
        all_rejected = result.rejected == totals.failed + totals.refused > 0
        correct = "correct what the service rejected, and " if all_rejected else ""
        again = f"To go on, {correct}run the same command again"
        if self.journal is not None:
            return f"{again}: what is done is not sent again."
        if self.ensure:
            return f"{again}: --ensure checks what exists already."
        if not (totals.exist or totals.in_doubt or result.unknown):
            return f"{again}: nothing was created."
        return (
            f"There is no journal. To go on, {correct}add --ensure to the command: it checks "
            "whether each restream exists before creating it."
        )

    def _place(self, index: int) -> str:
        return f"line {self.lines[index]:,} of {self.input_name}"

    def _contents(self, result: RunResult) -> Contents:
        return creations(
            f"Bulk run of {self.input_name}",
            result,
            self.report.failed_items,
            place=self._place,
            places=lambda spans: self.lines.describe(spans, most=MOST_PLACES),
        )

    def _places(self, spans: Sequence[Span]) -> str:
        return f"{self.lines.describe(spans)} of {self.input_name}"

    def _not_done(self, result: RunResult) -> Iterator[str]:
        """Yield which restreams may or may not exist, and which were not sent."""
        if result.in_doubt:
            restreams = plural(result.totals.in_doubt, "restream")
            yield (f"{restreams} may or may not have been created: {self._places(result.in_doubt)}")
        not_sent = result.totals.not_sent
        if self.reading.error is not None:
            yield str(self.reading.error)
        elif result.unknown:
            more = f", and {not_sent:,} more were not sent" if not_sent else ""
            yield (
                f"{plural(result.unknown, 'restream')} in flight may or may not have been created"
                f"{more}: see {self._places(result.not_sent)}"
            )
        elif not_sent:
            were = "was" if not_sent == 1 else "were"
            restreams = plural(not_sent, "restream")
            yield f"{restreams} {were} not sent: {self._places(result.not_sent)}"

    def _not_written(self, result: RunResult) -> Iterator[str]:
        """Yield how many outcomes are missing in the output."""
        if self._writer is not None and self._writer.error is not None:
            outcomes = plural(self._writer.dropped, "outcome")
            cause = system_reason(self._writer.error)
            stopped = ", so the run was stopped" if result.totals.not_sent else ""
            yield (f"{outcomes} could not be written to {self.outcome_file.name}: {cause}{stopped}")


@attrs.define
class _FailureNotes:
    """Shows the first failures on a terminal, and counts the others."""

    _display: Display
    _place: Callable[[int], str]
    _count: int = 0

    def add(self, outcome: Outcome) -> None:
        """Show an outcome if it is a failure."""
        if isinstance(outcome, Created) or is_not_sent(outcome):
            return
        self._count += 1
        if self._count <= _MOST_FAILURES:
            new, error = outcome.request, outcome.error
            is_unknown = isinstance(error, OutcomeUnknownError)
            what = "may or may not exist" if is_unknown else "was not created"
            where = f"{self._place(outcome.index)} (video {new.video_id}, {new.title})"
            self._display.note(safe(f"{where} {what}: {brief(error)}"))

    def print_rest(self, console: Console) -> None:
        """Print how many failures were not shown."""
        more = self._count - _MOST_FAILURES
        if more > 0:
            say(console, f"… and {plural(more, 'more failure')}. {_ALL_OUTCOMES}")
