"""`bulk`: create all restreams of a file, after checking every line of it."""

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from restream_async import (
    Created,
    JournalError,
    Outcome,
    OutcomeUnknownError,
    RestreamClient,
    RetryPolicy,
)
from restream_async._bulk.journal_adapter import Repeats
from restream_async._journal.journal import Journal
from restream_async.cli.errors import CliError, ExitCode, in_short, told, why
from restream_async.cli.event_loop import run_async
from restream_async.cli.file_roles import Role, exists, refuse_shared
from restream_async.cli.hints import command
from restream_async.cli.input.check import check
from restream_async.cli.input.formats import Format, Reader
from restream_async.cli.input.items import Requests
from restream_async.cli.input.line_numbers import Lines, Span
from restream_async.cli.input.source import Source
from restream_async.cli.options.connection import client_for
from restream_async.cli.options.shared import (
    INSISTING,
    ConnectionOptions,
    Patience,
    connected,
    seconds,
)
from restream_async.cli.output.console import (
    console_on,
    plural,
    safe,
    say,
    say_error,
    say_to_copy,
)
from restream_async.cli.output.outcome_output import LineWriter, Output, outcome_line
from restream_async.cli.output.progress import Display, LiveDisplay, display_on
from restream_async.cli.output.run_summary import complaints, summary
from restream_async.cli.output.totals import is_unsent
from restream_async.cli.run_with_progress import RunSummary, run_with_progress
from restream_async.settings import InDoubt

_NEVER_TWICE: Final = "Never twice, never lost"
_ANOTHER: Final = "name another journal"
_ANOTHER_OR_NONE: Final = "(--journal PATH), or keep none (--no-journal --ensure)"
_MOST_SHOWN: Final = 20
_ALL_OUTCOMES: Final = "To have every outcome in a file, add --output PATH."
_TO_UNDO: Final = "To delete what was created:"
_TO_UNDO_THERE: Final = "To delete what was created, with the same connection options:"
_SAME_AGAIN: Final = "run the same command again"
_ENSURE: Final = "it checks for each restream whether it exists before creating it."


@connected
def bulk(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="CSV or JSON lines, also compressed with gzip; - reads standard input.",
        ),
    ],
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="How FILE is written.", show_default="by its ending, else its start"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A new file for the outcomes, readable by you alone; - writes all of them to "
            "standard output.",
            show_default="standard output; on a terminal, only what failed is shown",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check FILE, say what would be sent, send nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary, only errors.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file that remembers what is done. Run the same command again to resume; "
            "restream-async undo deletes what it created. It holds no keys and no URLs.",
            show_default="FILE.journal; none for standard input",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = None,
    no_journal: Annotated[
        bool,
        typer.Option(
            "--no-journal",
            help="Keep no journal: the same command again creates everything again.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="At the end, delete the extra copies that this run itself made.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = False,
    ensure: Annotated[
        bool,
        typer.Option(
            "--ensure",
            help="Look for every restream before creating it.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = False,
    repeats: Annotated[
        Repeats,
        typer.Option(
            help="The same restream (videoId, streamUrl, streamKey) on a further line: existing "
            "creates it once and reports the further ones as existing; create creates one for "
            "each line. In files of more than 30,000 lines, only a journal remembers all of them.",
            rich_help_panel=_NEVER_TWICE,
        ),
    ] = "existing",
    max_in_flight: Annotated[
        int,
        typer.Option(min=1, help="Requests under way at once, at most.", rich_help_panel=INSISTING),
    ] = 64,
    timeout: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="For one attempt.",
            rich_help_panel=INSISTING,
        ),
    ] = 30.0,
    attempts: Annotated[
        int,
        typer.Option(min=1, help="For one restream, at most.", rich_help_panel=INSISTING),
    ] = 5,
    deadline: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="For one restream, with all attempts and waits.",
            rich_help_panel=INSISTING,
        ),
    ] = 120.0,
    patience: Patience = 300.0,
    in_doubt: Annotated[
        InDoubt,
        typer.Option(
            help="When an answer was lost: confirm looks whether the restream is there before "
            "sending again; raise does so too, and fails where it cannot look; resend never "
            "looks, and can create a restream twice.",
            rich_help_panel=INSISTING,
        ),
    ] = "confirm",
) -> None:
    """Create all restreams of a file. Every line is checked before the first one is sent.

    CSV, separated by commas, semicolons or tabs, needs a first line that names the columns
    videoId, title, streamUrl, streamKey and status (true, 1, yes, on or active; false, 0, no, off
    or inactive); others are ignored. JSON lines have the same names, and a real true or false.

    The outcomes are JSON lines, on standard output or in --output; a terminal shows only what
    failed, unless --output asks for all. Each has line, index, outcome, videoId, title; id, status,
    differences (what the service has otherwise than asked: title, status), origin, attempts,
    maybeDuplicate; of failed ones errorType, error and httpStatus. They hold no stream keys and no
    stream URLs. The outcome is "created"; "existing", also where an earlier run created it;
    "failed", also where the service refused the key; "unknown" where it may exist or not;
    "not_sent" where the run ended before.

    Ctrl-C finishes what is in flight; a second one stops at once. The same command resumes it
    after any end: a journal beside FILE remembers what is done.
    """
    console = console_on(sys.stderr)
    # Whatever can be wrong before the input is read is found before: that may take minutes.
    client = None
    if not dry_run:
        client = client_for(
            connection,
            timeout=timeout,
            retry=RetryPolicy(attempts=attempts, deadline=deadline),
            in_doubt=in_doubt,
            max_in_flight=max_in_flight,
            patience=patience,
        )
    if journal is not None and no_journal:
        raise CliError("--journal and --no-journal exclude each other")
    if str(journal) == "-":
        raise CliError("a journal is a file, not a standard stream: name one")
    result = Output(output, force=force)
    with Source(file, console) as source:
        if journal is None and not no_journal:
            journal = source.default_journal
        if client is not None:
            _check_files(source, result, journal)
        reader = Reader(source.name, form or source.form())
        checked = check(reader, source.lines(), console)
        if client is None:
            say(console, f"{checked}. All lines are good; nothing was sent (--dry-run).")
            return
        job = _Job(
            client=client,
            requests=Requests(reader.read(source.same_lines())),
            care=Care(journal=journal, repair=repair, ensure=ensure, repeats=repeats),
            lines=checked.lines,
            input_name=source.name,
            to_undo=_TO_UNDO_THERE if connection.given else _TO_UNDO,
            output=result,
            console=console,
            quiet=quiet,
        )
        try:
            code = run_async(job.run())
        except JournalError as error:
            sentence = _refused(told(error), journal)
        else:
            raise typer.Exit(code)
    raise CliError(sentence)


def _refused(sentence: str, journal: Path | None) -> str:
    """Add the options to what is wrong with a journal."""
    if journal is None or exists(journal):
        return sentence.replace(_ANOTHER, f"{_ANOTHER} {_ANOTHER_OR_NONE}")
    return f"{sentence}; pass --journal PATH for another place, or --no-journal to do without"


def _check_files(source: Source, output: Output, journal: Path | None) -> None:
    """Refuse files that another role needs, before anything is read.

    Raises:
        CliError: two roles share a file, or the output may not be replaced.

    """
    screen = Role.of_status("standard error", os.fstat(sys.stderr.fileno()))
    # That of outcomes and messages may be one file, as with `&>`.
    screen = attrs.evolve(screen, files=screen.files - output.role.files)
    journals = [] if journal is None else [Role.of_journal(journal)]
    refuse_shared(source.role, output.role, screen, *journals)
    if journal is None or not exists(journal):
        output.refuse_to_overwrite()


@attrs.frozen(kw_only=True)
class Care:
    """What a run does so as to create nothing twice and to lose nothing."""

    journal: Path | None
    repair: bool
    ensure: bool
    repeats: Repeats


@attrs.frozen(kw_only=True)
class _Job:
    """A checked input on its way to the service."""

    client: RestreamClient
    requests: Requests
    care: Care
    lines: Lines
    input_name: str
    to_undo: str
    output: Output
    console: Console
    quiet: bool

    async def run(self) -> int:
        """Create everything, and write the outcomes."""
        display = display_on(self.console, quiet=self.quiet)
        run = self.client.create_many(
            self.requests,
            journal=self.care.journal,
            repair=self.care.repair,
            ensure=self.care.ensure,
            repeats=self.care.repeats,
        )
        # Outcomes and progress on one terminal: what went past the display would tear it.
        shared = isinstance(display, LiveDisplay) and self.output.leads_to(
            self.console.file.fileno()
        )
        failures = _Failures(display, self._line)
        write = _above(self.console)
        writers: list[LineWriter] = []
        async with contextlib.AsyncExitStack() as stack:

            async def open_output(journal: Journal | None) -> None:
                nonlocal write
                if self.output.is_shown:
                    return
                descriptor = await self.output.open(stack, journal)
                if not shared:
                    writer = await stack.enter_async_context(LineWriter(descriptor))
                    write = writer.write
                    writers.append(writer)

            async def heed(outcome: Outcome) -> bool:
                if self.output.is_shown:
                    failures.show(outcome)
                    return True
                return await write(outcome_line(outcome, self.lines[outcome.index]))

            # Not before: another run with this journal may be writing to the same file.
            run.before_reading = open_output
            async with self.client:
                ride = await run_with_progress(
                    self.client, run, total=len(self.lines), display=display, heed=heed
                )
            if ride.cut_short:
                for writer in writers:
                    writer.abandon()
        failures.say_rest(self.console)
        return self._end(ride, writers)

    def _end(self, ride: RunSummary, writers: Sequence[LineWriter]) -> int:
        """Say how it ended, and return the exit code."""
        journal = self.care.journal
        if not self.quiet:
            say(self.console, summary(ride))
            if self.output.is_shown and (ride.different or ride.counts.maybe_duplicate):
                say(self.console, _ALL_OUTCOMES)
            if journal is not None:
                say_to_copy(self.console, "Journal:", str(journal))
                # Not what it has only found, which undo leaves alone.
                if ride.totals.created or ride.totals.earlier:
                    undo = command("undo", str(journal))
                    say_to_copy(self.console, self.to_undo, undo)
        for sentence in (
            *complaints(ride, self._line),
            *self._not_done(ride),
            *self._not_written(ride, writers),
        ):
            say_error(sentence)
        written = not any(writer.error for writer in writers)
        if ride.totals.exist < ride.total or ride.error is not None or not written:
            say(self.console, self._to_go_on(ride))
        if ride.signal_code is not None:
            return ride.signal_code
        if self.requests.trouble is not None:
            return self.requests.trouble.code
        if ride.error is not None and not isinstance(ride.error, JournalError):
            return ExitCode.USAGE
        return ExitCode.DONE if ride.is_perfect and written else ExitCode.FAILED

    def _to_go_on(self, ride: RunSummary) -> str:
        """Return how to come to what is missing."""
        totals = ride.totals
        # Of the rest, nothing fails by itself in the next run.
        is_rejected = ride.rejected == totals.failed + totals.refused > 0
        correct = "correct what the service rejected, and " if is_rejected else ""
        if self.care.journal is not None:
            return f"To go on, {correct}{_SAME_AGAIN}: what is done is not sent again."
        if self.care.ensure:
            return f"To go on, {correct}{_SAME_AGAIN}: --ensure checks what exists already."
        if not (totals.exist or totals.in_doubt or ride.unknown):
            return f"To go on, {correct}{_SAME_AGAIN}: nothing was created."
        return f"There is no journal. To go on, {correct}add --ensure to the command: {_ENSURE}"

    def _line(self, index: int) -> str:
        return f"line {self.lines[index]:,} of {self.input_name}"

    def _not_done(self, ride: RunSummary) -> Iterator[str]:
        def where(spans: Sequence[Span]) -> str:
            return f"{self.lines.told(spans)} of {self.input_name}"

        if ride.in_doubt:
            restreams = plural(ride.totals.in_doubt, "restream")
            yield f"{restreams} may or may not have been created: {where(ride.in_doubt)}"
        not_sent = ride.totals.not_sent
        if self.requests.trouble is not None:
            yield str(self.requests.trouble)
        elif ride.unknown:
            more = f", and {not_sent:,} more were not sent" if not_sent else ""
            yield (
                f"{plural(ride.unknown, 'restream')} in flight may or may not have been created"
                f"{more}: see {where(ride.not_sent)}"
            )
        elif not_sent:
            were = "was" if not_sent == 1 else "were"
            yield f"{plural(not_sent, 'restream')} {were} not sent: {where(ride.not_sent)}"

    def _not_written(self, ride: RunSummary, writers: Sequence[LineWriter]) -> Iterator[str]:
        for writer in writers:
            if writer.error is not None:
                lost = plural(writer.dropped, "outcome")
                stopped = ", so the run was stopped" if ride.totals.not_sent else ""
                cause = why(writer.error)
                yield f"{lost} could not be written to {self.output.name}: {cause}{stopped}"


@attrs.define
class _Failures:
    """Tells a person which restreams failed; of many, which were the first."""

    _display: Display
    _line: Callable[[int], str]
    _count: int = 0

    def show(self, outcome: Outcome) -> None:
        """Tell of an outcome, if it is a failure."""
        if isinstance(outcome, Created) or is_unsent(outcome):
            return
        self._count += 1
        if self._count <= _MOST_SHOWN:
            new, error = outcome.request, outcome.error
            unknown = isinstance(error, OutcomeUnknownError)
            what = "may exist or not" if unknown else "was not created"
            where = f"{self._line(outcome.index)} (video {new.video_id}, {new.title})"
            self._display.note(safe(f"{where} {what}: {in_short(error)}"))

    def say_rest(self, console: Console) -> None:
        """Tell how many failures were not shown."""
        more = self._count - _MOST_SHOWN
        if more > 0:
            say(console, f"… and {plural(more, 'more failure')}. {_ALL_OUTCOMES}")


def _above(console: Console) -> Callable[[str], Awaitable[bool]]:
    async def write(line: str) -> bool:
        # In one piece, which the terminal breaks: a line break would be part of what is copied.
        console.print(line, soft_wrap=True)
        return True

    return write
