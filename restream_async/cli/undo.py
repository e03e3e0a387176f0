"""`undo`: delete what the runs of a journal have created."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from restream_async import JournalError, RestreamClient
from restream_async.cli.ask import agreed
from restream_async.cli.connection import client_for
from restream_async.cli.files import exists
from restream_async.cli.interrupts import Interrupts
from restream_async.cli.loop import run_async
from restream_async.cli.options import ConnectionOptions, Patience, connected
from restream_async.cli.screen import console_on, lasting, plural, safe, say, say_error
from restream_async.cli.trouble import ExitCode, Trouble, told
from restream_async.errors import NotSentError
from restream_async.undo import Undo, Undone

_EVERY: Final = 2.0
"""Seconds between two lines of progress."""
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
        raise Trouble(f"there is no journal {journal}")
    try:
        code = run_async(_undo(client, journal, yes=yes, include_found=include_found))
    except JournalError as error:
        sentence = told(error)
    else:
        raise typer.Exit(code)
    meant = f"{journal}.journal"
    raise Trouble(f"{sentence}; did you mean {meant}?" if exists(Path(meant)) else sentence)


async def _undo(client: RestreamClient, journal: Path, *, yes: bool, include_found: bool) -> int:
    console = console_on(sys.stderr)
    async with client, client.undo(journal, include_found=include_found) as undoing:
        stay = _staying(undoing)
        if undoing.unsure:
            what = plural(undoing.unsure, "restream")
            say_error(
                f"{what} under way when the run ended may exist too: run the bulk command again "
                "to find out, and undo after that"
            )
        if not undoing.total:
            say(console, f"There is nothing to delete.{stay}")
            return ExitCode.FAILED if undoing.unsure else ExitCode.DONE
        what = plural(undoing.total, "restream")
        if not yes and not agreed(f"Delete {what} that {journal} has created?{stay} [y/N] "):
            raise Trouble("nothing was deleted", ExitCode.FAILED)
        count = _Count(console=console, total=undoing.total)

        def stop() -> None:
            say(console, "Stopping: what is under way is finished first.")
            undoing.stop()

        async with Interrupts(stop) as interrupts:
            await undoing.carry_out(count.add)
        unsure = bool(undoing.unsure)
    code = count.end(journal, interrupts.exit_code)
    return ExitCode.FAILED if code == ExitCode.DONE and unsure else code


def _staying(undoing: Undo) -> str:
    if not undoing.left_alone:
        return ""
    found = plural(undoing.left_alone, "restream")
    return f" ({found} that the runs found, perhaps from before, will stay: see --include-found.)"


@attrs.define(kw_only=True)
class _Count:
    """Counts deletions, and tells of them."""

    console: Console
    total: int
    gone: int = 0
    failed: int = 0
    started: float = attrs.Factory(time.monotonic)
    told: float = attrs.Factory(time.monotonic)

    def add(self, undone: Undone) -> None:
        """Count one."""
        if undone.gone:
            self.gone += 1
        elif not isinstance(undone.error, NotSentError):
            self.failed += 1
            if self.failed <= _MOST_COMPLAINTS:
                why = str(undone.error) if undone.error is not None else "the service did not"
                say_error(f"restream {safe(undone.restream_id)} was not deleted: {why}")
        if time.monotonic() - self.told >= _EVERY:
            self.told = time.monotonic()
            say(self.console, self._state(f"{self.total:,}"))

    def end(self, journal: Path, signal_code: int | None) -> int:
        """Say how it ended, and return the exit code."""
        state = self._state(plural(self.total, "restream"))
        not_sent = self.total - self.gone - self.failed
        if not_sent:
            state += f", {not_sent:,} not sent"
        say(self.console, f"{state}, in {lasting(time.monotonic() - self.started)}")
        if self.gone < self.total:
            say(self.console, f"To go on: restream-async undo {shlex.quote(str(journal))}")
        if signal_code is not None:
            return signal_code
        return ExitCode.DONE if self.gone == self.total else ExitCode.FAILED

    def _state(self, total: str) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.gone:,} of {total} deleted{failed}"
