"""`undo`: delete what the runs of a journal have created."""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from restream_async import JournalError, OutcomeUnknownError, RestreamClient
from restream_async._bulk.undo import Undo, Undone
from restream_async.cli.errors import CliError, ExitCode, told
from restream_async.cli.event_loop import run_async
from restream_async.cli.file_roles import exists
from restream_async.cli.hints import command
from restream_async.cli.options.connection import client_for
from restream_async.cli.options.shared import ConnectionOptions, Patience, connected
from restream_async.cli.output.console import (
    ProgressLines,
    begin_line,
    console_on,
    lasting,
    plural,
    safe,
    say,
    say_error,
)
from restream_async.cli.prompt import confirmed
from restream_async.cli.signals import Interrupts
from restream_async.errors import NotSentError

_MOST_COMPLAINTS: Final = 20


@connected
def undo(
    connection: ConnectionOptions,
    *,
    journal: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The journal of bulk: FILE.journal, or what --journal named."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    include_found: Annotated[
        bool,
        typer.Option(
            "--include-found",
            help="Delete also what the runs found: what was there before, and what was found "
            "after a lost answer and may have been there before.",
        ),
    ] = False,
    patience: Patience = 300.0,
) -> None:
    """Delete what the runs of a journal have created, after asking.

    What they merely found stays. It can be interrupted and run again: what is gone is noted in
    the journal.
    """
    client = client_for(connection, patience=patience)
    if not journal.exists():
        raise CliError(f"there is no journal {journal}")
    try:
        code = run_async(_undo(client, journal, yes=yes, include_found=include_found))
    except JournalError as error:
        sentence = told(error)
    else:
        raise typer.Exit(code)
    meant = f"{journal}.journal"
    raise CliError(f"{sentence}; did you mean {meant}?" if exists(Path(meant)) else sentence)


async def _undo(client: RestreamClient, journal: Path, *, yes: bool, include_found: bool) -> int:
    console = console_on(sys.stderr)
    async with client, client.undo(journal, include_found=include_found) as undoing:
        if not undoing.total:
            say(console, f"There is nothing to delete.{_staying(undoing)}")
            return _end(undoing, ExitCode.DONE)
        made = "created or found" if include_found else "created"
        question = (
            f"Delete {plural(undoing.total, 'restream')} that the runs of {journal} {made}?"
            f"{_staying(undoing)} [y/N]"
        )
        if not yes and not confirmed(question):
            return ExitCode.DONE
        count = _Count(console=console, total=undoing.total)

        def stop() -> None:
            begin_line(console)
            say(console, "Stopping: what is under way is finished first.")
            undoing.stop()

        async with Interrupts(stop) as interrupts:
            await undoing.carry_out(count.add)
        code = count.end(_staying(undoing), interrupts.exit_code)
        return _end(undoing, code)


def _staying(undoing: Undo) -> str:
    if not undoing.left_alone:
        return ""
    found = plural(undoing.left_alone, "restream")
    it, stays = ("it", "stays") if undoing.left_alone == 1 else ("them", "stay")
    return (
        f" {found} {stays}, as the runs may not have created {it} "
        f"(--include-found deletes {it} too)."
    )


def _end(undoing: Undo, code: int) -> int:
    """Say what may exist besides, and return the exit code."""
    if not undoing.unsure:
        return code
    noun = "more restream" if undoing.total else "restream"
    say_error(
        f"{plural(undoing.unsure, noun)} may exist: the run was cut off before it had "
        "an answer, and the journal knows no ids of them. Look at their videos "
        f"({command('list', 'VIDEO_ID')}), and delete what should not be there "
        f"({command('delete', 'ID')})"
    )
    return ExitCode.FAILED if code == ExitCode.DONE else code


@attrs.define(kw_only=True)
class _Count:
    """Counts deletions, and tells of them."""

    console: Console
    total: int
    gone: int = 0
    failed: int = 0
    in_doubt: int = 0
    started: float = attrs.Factory(time.monotonic)
    _lines: ProgressLines = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin to count the time between two lines."""
        self._lines = ProgressLines(self.console)

    def add(self, undone: Undone) -> None:
        """Count one."""
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
                why = "the service gave no reason" if error is None else told(error)
                self._complain(f"{shown} was not deleted: {why}")
        self._lines.offer(self._state(f"{self.total:,}"))

    def _complain(self, sentence: str) -> None:
        if self.failed + self.in_doubt <= _MOST_COMPLAINTS:
            say_error(sentence)

    def end(self, staying: str, signal_code: int | None) -> int:
        """Say how it ended and what stays, and return the exit code."""
        state = self._state(plural(self.total, "restream"))
        not_sent = self.total - self.gone - self.failed - self.in_doubt
        if not_sent:
            state += f", {not_sent:,} not sent"
        took = lasting(time.monotonic() - self.started)
        say(self.console, f"{state}, in {took}.{staying}")
        if self.gone < self.total:
            say(self.console, "To go on, run the same command again: what is gone is noted.")
        if signal_code is not None:
            return signal_code
        return ExitCode.DONE if self.gone == self.total else ExitCode.FAILED

    def _state(self, total: str) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        in_doubt = f", {self.in_doubt:,} in doubt" if self.in_doubt else ""
        return f"{self.gone:,} of {total} deleted{failed}{in_doubt}"
