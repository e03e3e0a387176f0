"""Private: reads dead letters, shows them, and retries or drops those that are selected."""

import asyncio
import datetime as dt
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeVar

import attrs
from rich.console import Console

from restream_async._util.parallel import run_in_tasks
from restream_async.cli.errors import CliError
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.output.console import (
    console_on,
    leave_echoed_line,
    plural,
    result_console,
    say,
    say_error,
)
from restream_async.cli.output.run_summary import success_mark
from restream_async.cli.output.worker_reports import letter_text, report_json
from restream_async.cli.prompt import confirmed
from restream_async.cli.signals import StopSignals
from restream_async.errors import ConfigurationError
from restream_async.worker.command_publishing import UnpublishedError
from restream_async.worker.dead_letters import DeadLetter, DeadLetters
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.subjects import Subjects
from restream_async.worker.tasks import unless_set

_T = TypeVar("_T")

_MOST_TASKS: Final = 64
_MOST_SHOWN: Final = 10
_AGAIN: Final = "run the same command again"
_NO_RETRY: Final = " (cannot be retried)"


@attrs.frozen(kw_only=True)
class _Action:
    """What is done with dead letters.

    Attributes:
        verb: asks for it.
        done: says that it was done.
        result: says where the dead letters are then.
        needs_command: whether it can only be done while the command of a dead letter is kept.
        apply: does it; returns false if it cannot be done.

    """

    verb: str
    done: str
    result: str
    needs_command: bool
    apply: Callable[[DeadLetters, DeadLetter], Awaitable[bool]]


async def _drop(letters: DeadLetters, letter: DeadLetter) -> bool:
    await letters.drop(letter)
    return True


_ACTIONS: Final = {
    "retry": _Action(
        verb="retry",
        done="retried",
        result="on the stream {stream} again",
        needs_command=True,
        apply=lambda letters, letter: letters.retry(letter),
    ),
    "drop": _Action(
        verb="drop", done="dropped", result="dropped", needs_command=False, apply=_drop
    ),
}


@attrs.frozen(kw_only=True)
class DeadRun:
    """Works on the dead letters of a NATS server.

    Attributes:
        options: how to reach the server.
        names: the names of streams and subjects.

    """

    options: NatsOptions
    names: Subjects

    def list(self, *, reason: str | None, since: dt.datetime | None, as_json: bool) -> int:
        """Print dead letters, and return the exit code.

        Raises:
            ConfigurationError: the server cannot be reached, or there is no stream.
            CliError: it was interrupted, or standard output cannot be written.

        """
        letters = [each for each in self._read(since) if _has(each, reason)]
        if not letters and not as_json:
            say(console_on(sys.stderr), "There are no dead letters.")
        with result_console() as console:
            for each in letters:
                if as_json:
                    more = {"id": each.id, "canRetry": each.can_be_retried}
                    console.print(report_json(each.body, each.time, **more), soft_wrap=True)
                else:
                    _show(console, each)
        return ExitCode.DONE

    def change(
        self,
        verb: Literal["retry", "drop"],
        ids: Sequence[int],
        reason: str | None,
        *,
        yes: bool,
    ) -> int:
        """Retry or drop the dead letters that are selected, and return the exit code.

        Args:
            verb: what is done with them.
            ids: of the dead letters; empty: `reason` selects them.
            reason: a part of their reason; None: all of them.
            yes: whether nothing is asked.

        Raises:
            ConfigurationError: the server cannot be reached, or there is no stream.
            CliError: a dead letter does not exist, or it was interrupted before anything was done.

        """
        action = _ACTIONS[verb]
        selected = _selected(self._read(), ids, reason)
        console = console_on(sys.stderr)
        if not selected:
            say(console, "There are no dead letters to select.")
            return ExitCode.DONE
        possible = [each for each in selected if each.can_be_retried or not action.needs_command]
        impossible = len(selected) - len(possible)
        if possible and (yes or _may_change(console, possible, action)):
            return run_async(self._change(possible, impossible, action))
        if not possible:
            say_error(_impossible(impossible))
        return ExitCode.DONE if possible else ExitCode.FAILED

    def _read(self, since: dt.datetime | None = None) -> Sequence[DeadLetter]:
        async def read() -> Sequence[DeadLetter]:
            stop = asyncio.Event()
            async with StopSignals(stop.set) as signals:
                reading = self._connected(lambda letters: letters.read(since))
                found = await unless_set(stop, reading)
                if found is not None:
                    return found
            leave_echoed_line(console_on(sys.stderr))
            raise CliError("interrupted: nothing was changed", ExitCode(signals.exit_code or 0))

        return run_async(read())

    async def _change(self, chosen: Sequence[DeadLetter], impossible: int, action: _Action) -> int:
        """Retry or drop dead letters, and return the exit code."""
        changes = _Changes(waiting=deque(chosen), impossible=impossible, action=action)
        async with StopSignals(changes.waiting.clear) as signals:
            await self._connected(changes.make)
        done = changes.done
        head = success_mark(success=done == len(chosen))
        head.append(f"{done:,} of {plural(len(chosen), 'dead letter')} ", "bold")
        head.append(action.result.format(stream=self.names.stream))
        say(console_on(sys.stderr), head)
        if changes.impossible:
            say_error(_impossible(changes.impossible))
        if changes.problem:
            say_error(f"{changes.problem}; {_AGAIN}")
        if signals.exit_code is not None:
            say_error(f"interrupted: {_AGAIN}")
            return signals.exit_code
        return ExitCode.FAILED if changes.impossible or changes.problem else ExitCode.DONE

    async def _connected(self, work: Callable[[DeadLetters], Awaitable[_T]]) -> _T:
        connection = await self.options.connect()
        try:
            jetstream = jetstream_of(connection)
            return await work(DeadLetters(jetstream=jetstream, subjects=self.names))
        finally:
            await close(connection)


@attrs.define(kw_only=True)
class _Changes:
    """Retries or drops dead letters.

    Attributes:
        waiting: those that nothing was done to yet.
        impossible: how many cannot be retried.
        action: what is done with them.
        done: how many were retried or dropped.
        problem: why no more of them were begun, or empty.

    """

    waiting: deque[DeadLetter]
    impossible: int
    action: _Action
    done: int = 0
    problem: str = ""

    async def make(self, letters: DeadLetters) -> None:
        await run_in_tasks(lambda: self._change(letters), min(len(self.waiting), _MOST_TASKS))

    async def _change(self, letters: DeadLetters) -> None:
        while self.waiting:
            letter = self.waiting.popleft()
            try:
                if await self.action.apply(letters, letter):
                    self.done += 1
                else:
                    self.impossible += 1
            except (UnpublishedError, ConfigurationError) as error:
                # The other tasks finish what they have begun.
                self.problem = str(error)
                self.waiting.clear()


def _has(letter: DeadLetter, reason: str | None) -> bool:
    return reason is None or reason.casefold() in letter.reason.casefold()


def _selected(
    letters: Sequence[DeadLetter], ids: Sequence[int], reason: str | None
) -> Sequence[DeadLetter]:
    if not ids:
        return [each for each in letters if _has(each, reason)]
    found = {copy: each for each in letters for copy in each.copies}
    missing = [each for each in ids if each not in found]
    if missing:
        see = command("dead", "list")
        raise CliError(f"there is no dead letter {missing[0]}: see {see}", ExitCode.FAILED)
    # An id may be given twice, and a dead letter may have two copies.
    return list({found[each].id: found[each] for each in ids}.values())


def _may_change(console: Console, letters: Sequence[DeadLetter], action: _Action) -> bool:
    """Show what is changed, and ask."""
    for each in letters[:_MOST_SHOWN]:
        _show(console, each)
    if len(letters) > _MOST_SHOWN:
        say(console, f"… and {len(letters) - _MOST_SHOWN:,} more")
    question = f"{action.verb.capitalize()} {plural(len(letters), 'dead letter')}? [y/N]"
    return confirmed(question, verb=action.verb, done=action.done)


def _show(console: Console, letter: DeadLetter) -> None:
    note = "" if letter.can_be_retried else _NO_RETRY
    say(console, letter_text(letter.id, letter.body, letter.time, note))


def _impossible(count: int) -> str:
    return (
        f"{plural(count, 'dead letter')} cannot be retried: the message could not be read, it was "
        "an event, it was retried before, or its worker was interrupted"
    )
