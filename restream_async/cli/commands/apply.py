"""Private: `apply` makes what the service has as it is wanted."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.text import Text

from restream_async import JournalError, RestreamClient
from restream_async.cli.commands.plan import plan_code, plan_summary
from restream_async.cli.commands.wanted_run import RunEnd, WantedInput, carry_out
from restream_async.cli.errors import CliError, describe
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.file_roles import FileRole, refuse_shared
from restream_async.cli.html_report.contents import Contents, unsent_changes
from restream_async.cli.html_report.run_report import Report, ReportPath, report_at
from restream_async.cli.input.destinations import roles_of
from restream_async.cli.input.source import InputSource
from restream_async.cli.options.connection import ConnectionOptions, connection_options
from restream_async.cli.options.journal import check_journal, with_journal_options
from restream_async.cli.options.retries_and_limits import RetryOptions, retry_options
from restream_async.cli.options.shared import AsJson, DestinationsFile, InputFile, InputFormat
from restream_async.cli.options.wanted import Prune, Rotate
from restream_async.cli.output.change_output import (
    ChangeOutput,
    Screen,
    TableOutput,
    change_output,
)
from restream_async.cli.output.console import (
    console_on,
    format_duration,
    result_console,
    say,
    say_error,
)
from restream_async.cli.output.run_summary import success_mark
from restream_async.cli.prompt import confirmed, refuse_without_terminal


@connection_options
@retry_options
def apply(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    retries: RetryOptions,
    *,
    file: InputFile,
    format_: InputFormat = None,
    destinations: DestinationsFile = None,
    rotate: Rotate = False,
    prune: Prune = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Change without asking. This also leaves out the first reading, so that each "
            "video costs at most two list calls.",
        ),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file that records what is created, without keys and URLs: if the command is "
            "killed, the next one creates nothing twice.",
            show_default="FILE.journal; none for standard input",
        ),
    ] = None,
    no_journal: Annotated[bool, typer.Option("--no-journal", help="Keep no journal.")] = False,
    as_json: AsJson = False,
    report_path: ReportPath = None,
) -> None:
    """Make the restreams of the videos in a file as the file says, after asking.

    FILE has the same format as for bulk: it names all restreams that its videos should have. The
    command shows the plan, asks, reads each video again right before it changes it, and reports
    each change. It creates what is missing, and enables and disables. It replaces stream keys only
    with --rotate: it creates the wanted restream, checks that it exists, and then deletes the old
    one. It deletes what is extra only with --prune. What fails is listed; the rest is done.

    With --json, each line is a change as plan --json describes it, with its outcome: "done",
    "unchanged", "needs_option", "failed", "unknown" (it may or may not have been made), "not_sent"
    (the run ended first) or "not_read" (the video could not be read).

    Ctrl-C finishes the requests in flight; a second Ctrl-C stops at once. However a run ends, the
    same command goes on: what is done is not done again.
    """
    err = console_on(sys.stderr)
    report = report_at(report_path)
    client = retries.client(connection, telemetry=report.telemetry)
    check_journal(journal, no_journal=no_journal)
    if not yes:
        refuse_without_terminal("change")
    with InputSource(file, err) as source:
        if journal is None and not no_journal:
            journal = source.default_journal
        _refuse_shared_files(source, report, journal, destinations)
        wanted = WantedInput.checked(source, format_, destinations, err)
        with result_console() as out:
            command = _Apply(
                client=client,
                wanted=wanted,
                screen=Screen(out=out, err=err),
                rotate=rotate,
                prune=prune,
                journal=journal,
                as_json=as_json,
                report=report,
            )
            try:
                code = run_async(command.run(yes=yes))
            except JournalError as error:
                message = _in_own_words(describe(error))
                message = with_journal_options(message, journal, keep_none="--no-journal")
            else:
                raise typer.Exit(code)
    raise CliError(message)


@attrs.frozen(kw_only=True)
class _Apply:
    """Applies a checked input."""

    client: RestreamClient
    wanted: WantedInput
    screen: Screen
    rotate: bool
    prune: bool
    journal: Path | None
    as_json: bool
    report: Report

    async def run(self, *, yes: bool) -> int:
        """Plan and ask, unless `yes`; apply, and return the exit code."""
        async with self.client:
            if not yes and (code := await self._ask()) is not None:
                return code
            async with change_output(self.screen, as_json=self.as_json, applied=True) as output:
                run = self.client.apply(
                    self.wanted, rotate=self.rotate, prune=self.prune, journal=self.journal
                )
                end = await carry_out(
                    self.client, run, output, self.screen, applied=True, report=self.report
                )
        self._print_end(end, output)
        has_report = self.report.finish(self._console, lambda: self._contents(end))
        return _code(end, output, has_report=has_report)

    @property
    def _console(self) -> Console:
        """The console for texts: lines of JSON must stay alone on standard output."""
        return self.screen.err if self.as_json else self.screen.out

    async def _ask(self) -> int | None:
        """Show the plan and ask; return the exit code if nothing is to be applied."""
        output = TableOutput(self._console, applied=False)
        run = self.client.plan(self.wanted, rotate=self.rotate, prune=self.prune)
        end = await carry_out(self.client, run, output, self.screen, applied=False)
        say(self._console, plan_summary(end))
        if end.early_code is not None:
            return plan_code(end, output)
        changes = end.totals.made.total()
        if not changes:
            plan_code(end, output)
            if end.totals.is_in_sync:
                say(self._console, "There is nothing to do.")
                return ExitCode.DONE
            say(self.screen.err, "Nothing was changed.")
            return ExitCode.FAILED
        question = f"Make {'this change' if changes == 1 else f'these {changes:,} changes'}? [y/N]"
        return None if confirmed(question, verb="change", done="changed") else ExitCode.DONE

    def _contents(self, end: RunEnd) -> Contents:
        totals = end.totals
        return Contents(
            title=f"Apply of {self.wanted.source.name}",
            headline=_headline(end).plain,
            succeeded=totals.is_in_sync and end.early_code is None,
            seconds=end.seconds,
            items="Changes",
            numbers=totals.numbers,
            remarks=[count for count in totals.remarks() if count[0]],
            failures=[*self.report.failed_changes.groups(), *unsent_changes(totals.unsent)],
            messages=[*end.messages, *_cut_short(end)],
        )

    def _print_end(self, end: RunEnd, output: ChangeOutput) -> None:
        say(self._console, _summary(end))
        end.say_error()
        for problem in (*filter(None, [output.problem]), *_cut_short(end)):
            say_error(problem)
        totals = end.totals
        if end.early_code is not None or totals.failed or totals.unread or output.problem:
            say(
                self.screen.err,
                "To go on, run the same command again: what is done is not done again.",
            )


def _cut_short(end: RunEnd) -> Iterator[str]:
    if end.cut_short:
        yield "changes that were in flight may or may not have been made"


def _summary(end: RunEnd) -> Text:
    """Return what was done, in numbers."""
    return end.with_remarks(_headline(end))


def _headline(end: RunEnd) -> Text:
    totals = end.totals
    is_done = totals.is_in_sync and end.early_code is None
    head = success_mark(success=is_done)
    if is_done and not totals.made:
        head.append("There was nothing to do: ")
    sentence = totals.sentence or "nothing done"
    return head.append(sentence, "bold").append(f", in {format_duration(end.seconds)}")


def _code(end: RunEnd, output: ChangeOutput, *, has_report: bool) -> int:
    if end.early_code is not None:
        return end.early_code
    is_done = end.totals.is_in_sync and not output.problem and has_report
    return ExitCode.DONE if is_done else ExitCode.FAILED


def _refuse_shared_files(
    source: InputSource, report: Report, journal: Path | None, destinations: Path | None
) -> None:
    """Check that the inputs, the journal and the standard streams are different files.

    Raises:
        CliError: two of them are the same file.

    """
    out = FileRole.of_status("standard output", os.fstat(sys.stdout.fileno()))
    err = FileRole.of_status("standard error", os.fstat(sys.stderr.fileno()))
    # Results and messages may go to one file, as with `&>`.
    err = attrs.evolve(err, files=err.files - out.files)
    journals = [] if journal is None else [FileRole.of_journal(journal)]
    refuse_shared(source.role, out, err, *report.roles, *journals, *roles_of(destinations))


def _in_own_words(message: str) -> str:
    """Return a message about an unusable journal in the words of `apply`, which always checks."""
    return message.replace(
        "run again with --ensure, which checks whether each restream exists before creating it",
        "run the same command again",
    )
