"""Private: `bulk` creates all restreams of a file, after checking every line of it."""

import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from restream_async import JournalError
from restream_async._bulk.repeats import Repeats
from restream_async.cli.commands.bulk_dry_run import DryRun
from restream_async.cli.commands.bulk_run import BulkCommandRun
from restream_async.cli.errors import CliError, describe
from restream_async.cli.event_loop import run_async
from restream_async.cli.file_roles import FileRole, exists, refuse_shared
from restream_async.cli.html_report.run_report import ReportPath, report_at
from restream_async.cli.input.check import SecondReading, check
from restream_async.cli.input.destinations import reader_of, roles_of
from restream_async.cli.input.failed_lines import FailedLines
from restream_async.cli.input.source import InputSource
from restream_async.cli.options.connection import ConnectionOptions, connection_options
from restream_async.cli.options.journal import check_journal, with_journal_options
from restream_async.cli.options.retries_and_limits import RetryOptions, retry_options
from restream_async.cli.options.shared import (
    RETRIES,
    DestinationsFile,
    InputFile,
    InputFormat,
    LogFormatOption,
    Quiet,
)
from restream_async.cli.output.console import console_on
from restream_async.cli.output.log_format import start_log
from restream_async.cli.output.outcome_file import OutcomeFile
from restream_async.cli.output.rejects_file import RejectsFile
from restream_async.settings import InDoubt

_ONCE: Final = "Never twice, never lost"


@connection_options
@retry_options
def bulk(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    retries: RetryOptions,
    *,
    file: InputFile,
    format_: InputFormat = None,
    destinations: DestinationsFile = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write the outcomes to a new file that only you can read; - is standard output.",
            show_default="standard output; a terminal shows only failures",
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write the lines that failed, as they are in FILE, to a new file that only you "
            "can read: the bad lines if there are any, else those that were not created. Correct "
            "them there, and run that file. Lines that were not sent, or may have been created, "
            "are left out: the same command resumes them.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the files of --output and --rejects.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check FILE, print what a run would do, and send nothing. The journal is read if "
            "there is one.",
        ),
    ] = False,
    quiet: Quiet = False,
    log_format: LogFormatOption = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file that records what is done, without keys and URLs. The same command again "
            "resumes the run; restream-async undo deletes what the run created.",
            show_default="FILE.journal; none for standard input",
            rich_help_panel=_ONCE,
        ),
    ] = None,
    no_journal: Annotated[
        bool,
        typer.Option(
            "--no-journal",
            help="Keep no journal. The same command again then creates everything again.",
            rich_help_panel=_ONCE,
        ),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="At the end, delete the extra copies that this run made.",
            rich_help_panel=_ONCE,
        ),
    ] = False,
    ensure: Annotated[
        bool,
        typer.Option(
            "--ensure",
            help="Check whether each restream exists before creating it.",
            rich_help_panel=_ONCE,
        ),
    ] = False,
    repeats: Annotated[
        Repeats,
        typer.Option(
            help="What to do if lines have the same videoId, streamUrl and streamKey: existing "
            "creates the restream once and reports the other lines as existing; create creates "
            "one for each line. Above 30,000 lines, only a run with a journal finds all of them.",
            rich_help_panel=_ONCE,
        ),
    ] = "existing",
    in_doubt: Annotated[
        InDoubt,
        typer.Option(
            help="What to do if an answer is lost: confirm checks whether the restream exists, and "
            "sends again if it does not or if the check fails; raise fails if the check fails; "
            "resend never checks, and may create a restream twice.",
            rich_help_panel=RETRIES,
        ),
    ] = "confirm",
    report_path: ReportPath = None,
) -> None:
    """Create all restreams of a file. Every line is checked before the first one is sent.

    The first line of a CSV file names the columns videoId, title, streamUrl, streamKey and status,
    separated by commas, semicolons or tabs; other columns are ignored. A status is true, 1, yes, on
    or active; or false, 0, no, off or inactive. JSON lines have the same names, and the status true
    or false.

    With --destinations, FILE is a list of videos, each of which has one line.

    The outcomes are JSON lines on standard output or in the file of --output. On a terminal, only
    failures are shown unless --output is given. Each line has line, index, outcome, videoId, title
    and attempts. If the restream exists, it also has id, status, differences (where the title or
    status at the service differs from FILE), origin and maybeDuplicate; if not, errorType, error
    and httpStatus. Stream keys and stream URLs are left out.

    The outcome is "created"; "existing" if it existed before or an earlier run created it;
    "failed", also if the service refused the key; "unknown" if it may or may not exist; "not_sent"
    if the run ended first.

    Ctrl-C finishes the requests in flight; a second Ctrl-C stops at once. However a run ends, the
    same command resumes it, because a journal beside FILE records what is done.
    """
    start_log(log_format)
    console = console_on(sys.stderr)
    # Settings are checked before the input: reading it may take minutes.
    report = report_at(report_path)
    client = None
    if not dry_run:
        client = retries.client(connection, in_doubt=in_doubt, telemetry=report.telemetry)
    check_journal(journal, no_journal=no_journal)
    if rejects is not None and destinations is not None:
        raise CliError(
            "--rejects does not work with --destinations: leave it out, and run the same command "
            "again; the journal knows what is done"
        )
    outcome_file = OutcomeFile(output, force=force)
    rejects_file = RejectsFile(rejects, force=force)
    with InputSource(file, console) as source, rejects_file:
        if journal is None and not no_journal:
            journal = source.default_journal
        journals = [] if journal is None else [FileRole.of_journal(journal)]
        others = [*report.roles, *journals, *roles_of(destinations)]
        _check_files(source, outcome_file, rejects_file, others)
        # With a journal, only the open run can know whether an earlier run wrote the output.
        if not dry_run and (journal is None or not exists(journal)):
            outcome_file.refuse_to_overwrite()
        reader = reader_of(source, format_, destinations)
        check_input = functools.partial(
            check, reader, source.lines(), console, rejects=rejects_file
        )
        try:
            if client is None:
                DryRun(connection=connection, journal=journal, repeats=repeats, ensure=ensure).run(
                    lambda add: check_input(on_restream=add), console
                )
                return
            run = BulkCommandRun(
                client=client,
                lines=check_input().lines,
                reading=SecondReading(reader.read(source.lines_again())),
                failed=FailedLines(reader, source.lines_again(), rejects_file),
                journal=journal,
                repair=repair,
                ensure=ensure,
                repeats=repeats,
                input_name=source.name,
                has_connection_options=connection.is_on_command_line,
                outcome_file=outcome_file,
                report=report,
                console=console,
                quiet=quiet,
            )
            code = run_async(run.run())
        except JournalError as error:
            message = with_journal_options(
                describe(error), journal, keep_none="--no-journal --ensure"
            )
        else:
            raise typer.Exit(code)
    raise CliError(message)


def _check_files(
    source: InputSource,
    outcome_file: OutcomeFile,
    rejects: RejectsFile,
    others: Sequence[FileRole],
) -> None:
    """Check that no file is used twice, before anything is read.

    Raises:
        CliError: two roles share a file, or the rejects cannot be written.

    """
    messages = FileRole.of_status("standard error", os.fstat(sys.stderr.fileno()))
    # Outcomes and messages may go to one file, as with `&>`.
    messages = attrs.evolve(messages, files=messages.files - outcome_file.role.files)
    refuse_shared(source.role, outcome_file.role, messages, *rejects.roles, *others)
    rejects.check()
