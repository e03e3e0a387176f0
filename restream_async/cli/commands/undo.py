"""Private: `undo` deletes what the runs of a journal have created."""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from restream_async import JournalError, OutcomeUnknownError, RestreamClient
from restream_async._bulk.undo import Undo, Undone
from restream_async.cli.errors import CliError, describe
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.file_roles import exists
from restream_async.cli.hints import command
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.shared import OutageTimeout, Yes
from restream_async.cli.output.console import (
    console_on,
    format_duration,
    leave_echoed_line,
    plural,
    safe,
    say,
    say_error,
)
from restream_async.cli.output.progress_display import PlainDisplay
from restream_async.cli.prompt import confirmed
from restream_async.cli.signals import StopSignals
from restream_async.errors import NotSentError

_MOST_COMPLAINTS: Final = 20


@connection_options
def undo(
    connection: ConnectionOptions,
    *,
    journal: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The journal of bulk: FILE.journal, or the file of --journal."
        ),
    ],
    yes: Yes = False,
    include_found: Annotated[
        bool,
        typer.Option(
            "--include-found",
            help="Delete also the restreams that the runs found: those that existed before, and "
            "those that were found after a lost answer and may have existed before.",
        ),
    ] = False,
    patience: OutageTimeout = 300.0,
) -> None:
    """Delete what the runs of a journal have created, after asking for confirmation.

    Restreams that the runs only found stay. The command can be interrupted and run again, because
    the journal records each deletion.
    """
    client = client_for(connection, patience=patience)
    if not journal.exists():
        raise CliError(f"there is no journal {journal}: bulk keeps it beside its input")
    try:
        code = run_async(_undo(client, journal, yes=yes, include_found=include_found))
    except JournalError as error:
        message = describe(error)
    else:
        raise typer.Exit(code)
    beside = f"{journal}.journal"
    raise CliError(f"{message}; did you mean {beside}?" if exists(Path(beside)) else message)


async def _undo(client: RestreamClient, journal: Path, *, yes: bool, include_found: bool) -> int:
    console = console_on(sys.stderr)
    async with client, client.undo(journal, include_found=include_found) as undoing:
        if not undoing.total:
            say(console, f"There is nothing to delete.{_what_stays(undoing)}")
            return _check_unknown(undoing, ExitCode.DONE)
        made = "created or found" if include_found else "created"
        question = (
            f"Delete {plural(undoing.total, 'restream')} that the runs of {journal} {made}?"
            f"{_what_stays(undoing)} [y/N]"
        )
        if not yes and not confirmed(question):
            return ExitCode.DONE
        progress = _UndoProgress(console=console, total=undoing.total)

        def stop() -> None:
            leave_echoed_line(console)
            say(
                console,
                "Stopping: deletions in flight are finished first. Ctrl-C again stops at once.",
            )
            undoing.stop()

        async with StopSignals(stop) as signals:
            await undoing.carry_out(progress.add)
        code = progress.end(_what_stays(undoing), signals.exit_code)
        return _check_unknown(undoing, code)


def _what_stays(undoing: Undo) -> str:
    if not undoing.left_alone:
        return ""
    found = plural(undoing.left_alone, "restream")
    it, stays = ("it", "stays") if undoing.left_alone == 1 else ("them", "stay")
    return (
        f" {found} {stays}, because the runs may not have created {it} "
        f"(--include-found deletes {it} too)."
    )


def _check_unknown(undoing: Undo, code: int) -> int:
    """Report restreams that may exist without an id in the journal; return the exit code."""
    if not undoing.unsure:
        return code
    noun = "more restream" if undoing.total else "restream"
    say_error(
        f"{plural(undoing.unsure, noun)} may exist: the run ended before their answers came, so "
        f"the journal has no ids of them. List their videos ({command('list', 'VIDEO_ID')}), and "
        f"delete what should not be there ({command('delete', 'ID')})"
    )
    return ExitCode.FAILED if code == ExitCode.DONE else code


@attrs.define(kw_only=True)
class _UndoProgress:
    """Counts deletions, and prints the progress."""

    console: Console
    total: int
    gone: int = 0
    failed: int = 0
    in_doubt: int = 0
    started: float = attrs.Factory(time.monotonic)
    _log: PlainDisplay = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Start the clock of the progress lines."""
        self._log = PlainDisplay(self.console)

    def add(self, undone: Undone) -> None:
        """Count the result of one deletion."""
        shown = f"restream {safe(undone.restream_id)}"
        match undone.error:
            case None if undone.gone:
                self.gone += 1
            case NotSentError():
                pass
            case OutcomeUnknownError(doubt=doubt):
                self.in_doubt += 1
                self._complain(f"{shown} may or may not have been deleted: {safe(doubt.summary)}")
            case error:
                self.failed += 1
                reason = "the service gave no reason" if error is None else describe(error)
                self._complain(f"{shown} was not deleted: {reason}")
        self._log.offer(self._state(f"{self.total:,}"))

    def _complain(self, message: str) -> None:
        if self.failed + self.in_doubt <= _MOST_COMPLAINTS:
            say_error(message)

    def end(self, what_stays: str, signal_code: int | None) -> int:
        """Print how the deletions ended and what stays, and return the exit code."""
        state = self._state(plural(self.total, "restream"))
        not_sent = self.total - self.gone - self.failed - self.in_doubt
        if not_sent:
            state += f", {not_sent:,} not sent"
        took = format_duration(time.monotonic() - self.started)
        say(self.console, f"{state}, in {took}.{what_stays}")
        if self.gone < self.total:
            say(self.console, "To go on, run the same command again: it deletes only what is left.")
        if signal_code is not None:
            return signal_code
        return ExitCode.DONE if self.gone == self.total else ExitCode.FAILED

    def _state(self, total: str) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        in_doubt = f", {self.in_doubt:,} in doubt" if self.in_doubt else ""
        return f"{self.gone:,} of {total} deleted{failed}{in_doubt}"
