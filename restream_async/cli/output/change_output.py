"""Private: where changes go: a table for people, or JSON lines for programs."""

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import Final, Protocol

import attrs
from rich.console import Console

from restream_async.changes import Change
from restream_async.cli.errors import system_reason
from restream_async.cli.output.change_lines import change_line
from restream_async.cli.output.change_table import ChangeTable, is_shown
from restream_async.cli.output.console import can_redraw, plural, say
from restream_async.cli.output.line_writer import LineWriter

_MOST_SHOWN: Final = 300
"""A longer table would not be read."""
_MOST_FAILURES: Final = 100
"""Failures that are shown after so many other changes."""


@attrs.frozen(kw_only=True)
class Screen:
    """The consoles of a command.

    Attributes:
        out: standard output, for results.
        err: standard error, for messages.

    """

    out: Console
    err: Console

    @property
    def progress(self) -> Console:
        """The console for the progress.

        If results and messages share a terminal, one console must print both, because a result
        must not tear the line of progress apart.
        """
        return self.out if can_redraw(self.out) else self.err


class ChangeOutput(Protocol):
    """Shows or writes changes, which come video by video."""

    async def add(self, change: Change) -> bool:
        """Take the next change; return false if no more can be written."""
        ...

    def end(self) -> None:
        """Show what is left."""
        ...

    def abandon(self) -> None:
        """Do not wait for what is not written yet."""
        ...

    @property
    def problem(self) -> str:
        """Why changes could not be written, or an empty text."""
        ...


class TableOutput:
    """Prints a table of the changes that matter, up to a length that a person reads."""

    problem: str = ""

    def __init__(self, console: Console, *, applied: bool) -> None:
        """Print on `console`: each video at once if `applied`, else all at the end, aligned."""
        self._console = console
        self._applied = applied
        self._table = ChangeTable(console, applied)
        self._waiting: list[Change] = []
        self._shown = 0
        self._failures = 0
        self._more = 0

    async def add(self, change: Change) -> bool:
        """Show a change, soon."""
        if not is_shown(change):
            return True
        is_failure = change.error is not None
        self._failures += is_failure
        if self._shown >= _MOST_SHOWN and not (is_failure and self._failures <= _MOST_FAILURES):
            self._more += 1
            return True
        self._shown += 1
        if self._applied and self._waiting and self._waiting[-1].video_id != change.video_id:
            self._print()
        self._waiting.append(change)
        return True

    def end(self) -> None:
        """Print what is left, and how many changes were not shown."""
        self._print()
        if self._more:
            more = plural(self._more, "more change")
            say(self._console, f"… and {more}. To have all of them, add --json.")

    def abandon(self) -> None:
        """Do nothing."""

    def _print(self) -> None:
        if self._waiting:
            self._console.print(self._table.render(self._waiting), soft_wrap=True)
            self._waiting.clear()


@attrs.frozen
class _JsonOutput:
    """Writes all changes as lines of JSON."""

    _writer: LineWriter
    _applied: bool

    async def add(self, change: Change) -> bool:
        return await self._writer.write(change_line(change, applied=self._applied))

    def end(self) -> None:
        pass

    def abandon(self) -> None:
        self._writer.abandon()

    @property
    def problem(self) -> str:
        error = self._writer.error
        if error is None:
            return ""
        changes = plural(self._writer.dropped, "change")
        return (
            f"{changes} could not be written to standard output: {system_reason(error)}, so the "
            "run was stopped"
        )


@attrs.frozen
class _TerminalJsonOutput:
    """Prints all changes as lines of JSON on the terminal that also shows the progress."""

    _console: Console
    _applied: bool
    problem: str = ""

    async def add(self, change: Change) -> bool:
        # The terminal breaks the line: a line break of ours would be copied with it.
        self._console.print(change_line(change, applied=self._applied), soft_wrap=True)
        return True

    def end(self) -> None:
        pass

    def abandon(self) -> None:
        pass


@contextlib.asynccontextmanager
async def change_output(
    screen: Screen, *, as_json: bool, applied: bool
) -> AsyncGenerator[ChangeOutput]:
    """Give the output for the changes of a command: a table, or lines of JSON."""
    if not as_json:
        yield TableOutput(screen.out, applied=applied)
    elif can_redraw(screen.out):
        yield _TerminalJsonOutput(screen.out, applied)
    else:
        async with LineWriter(sys.stdout.fileno()) as writer:
            yield _JsonOutput(writer, applied)
