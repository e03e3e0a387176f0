"""One JSON line for each outcome, for machines: no stream key, no stream URL."""

import asyncio
import contextlib
import json
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from restream_async import ApiError, Created, Origin, Outcome, OutcomeUnknownError
from restream_async._journal.journal import Journal
from restream_async.cli.errors import CliError, in_our_words, why
from restream_async.cli.file_roles import Role, exists
from restream_async.cli.output.totals import is_unsent

_STDOUT: Final = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
# Lines that may wait for a slow reader before the run does.
_MOST_WAITING: Final = 1000
_LONGEST_LINE: Final = 1024 * 1024
_BEFORE: Final = frozenset({Origin.EXISTING, Origin.JOURNAL})
"""The origins of what was there before this run."""
_META: Final = "outputs"
"""Under which a journal remembers the files that its runs have written their outcomes to."""


def outcome_line(outcome: Outcome, line: int) -> str:
    """Return an outcome as JSON. It is all ASCII, so it cannot steer a terminal either.

    Args:
        outcome: what became of a restream.
        line: the line of the input on which it stands.

    """
    fields: dict[str, Any] = {"line": line, "index": outcome.index, "outcome": _word(outcome)}
    if isinstance(outcome, Created):
        restream = outcome.restream
        fields |= {
            "id": restream.id,
            "videoId": restream.video_id,
            "title": restream.title,
            "status": restream.status,
            "differences": outcome.differences,
            "origin": outcome.origin.value,
            "attempts": outcome.attempts,
            "maybeDuplicate": outcome.maybe_duplicate,
        }
    else:
        error = outcome.error
        fields |= {
            "videoId": outcome.request.video_id,
            "title": outcome.request.title,
            "errorType": type(error).__name__,
            "error": in_our_words(error),
            "attempts": outcome.attempts,
        }
        if isinstance(error, ApiError):
            # Not `status`, which is true or false in the other kind of line.
            fields["httpStatus"] = error.status
    return json.dumps(fields)


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Created):
        return "existing" if outcome.origin in _BEFORE else "created"
    if is_unsent(outcome):
        return "not_sent"
    return "unknown" if isinstance(outcome.error, OutcomeUnknownError) else "failed"


class Output:
    """Where the outcomes go: a file, or standard output.

    Attributes:
        name: what to call it.
        is_shown: whether the outcomes would go to a terminal by default. Then only failures are
            shown.

    """

    def __init__(self, path: Path | None, *, force: bool) -> None:
        """Name a file, or standard output with None, `-` or its path; nothing is opened yet.

        Args:
            path: the file.
            force: whether a file that exists may be replaced.

        """
        self._path = None if path is None or str(path) in _STDOUT else path
        self._force = force
        self.is_shown = path is None and sys.stdout.isatty()
        self.name = "standard output" if self._path is None else str(self._path)

    @property
    def role(self) -> Role:
        """What the output is known by."""
        if self._path is None:
            return Role.of_status(self.name, os.fstat(sys.stdout.fileno()))
        return Role.of_path(f"the output {self.name}", self._path)

    def leads_to(self, descriptor: int) -> bool:
        """Say whether it is what an open descriptor writes to, such as the same terminal."""
        if self._path is None:
            return os.path.sameopenfile(sys.stdout.fileno(), descriptor)
        return exists(self._path) and os.path.samestat(self._path.stat(), os.fstat(descriptor))

    def refuse_to_overwrite(self) -> None:
        """Do nothing if the file may be written.

        Raises:
            CliError: it exists, and the user did not say that it may be replaced.

        """
        if self._path is not None and not self._force and _is_file(self._path):
            raise CliError(
                f"{self._path} exists already: pass --force to overwrite it, or name another one"
            )

    async def open(self, stack: contextlib.AsyncExitStack, journal: Journal | None) -> int:
        """Open it, as a file for its owner alone, and return the descriptor.

        A run that is resumed reports all outcomes again, so it may replace the file that an earlier
        run with the same journal has written.

        Args:
            stack: closes it.
            journal: that of the run, if there is one; it is locked.

        Raises:
            CliError: it exists and may not be replaced, another run is writing it, or it cannot be
                written.

        """
        path = self._path
        if path is None:
            return sys.stdout.fileno()
        known: list[str] = json.loads((journal and journal.meta(_META)) or "[]")
        resolved = str(path.resolve())
        if not (resolved in known and _holds_outcomes(path)):
            self.refuse_to_overwrite()
        if journal is not None and resolved not in known:
            await journal.set_meta(_META, json.dumps([*known, resolved]))
        # Not O_EXCL for a device or a pipe, which are there to be written to.
        fresh = 0 if self._force or exists(path) else os.O_EXCL
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | fresh, 0o600)
        except OSError as error:
            raise CliError(f"cannot write {path}: {why(error)}") from None
        stack.callback(os.close, descriptor)
        if _is_file(path):
            # What it holds may be what another run has just written.
            if not _locked(descriptor):
                raise CliError(
                    f"{path} is being written by another run: wait for its end, or name another one"
                )
            os.ftruncate(descriptor, 0)
        return descriptor


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _locked(descriptor: int) -> bool:
    """Lock a file until it is closed; false: somebody else has locked it."""
    try:
        import fcntl  # noqa: PLC0415 - there is none on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        """Not every system or network drive has locks."""
    return True


def _holds_outcomes(path: Path) -> bool:
    """Say whether a file is empty, or begins with the line of an outcome."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
        return not line or {"line", "index", "outcome"} <= json.loads(line).keys()
    except (OSError, ValueError, AttributeError):
        return False


class LineWriter:
    """Writes lines to a descriptor in a thread of its own.

    A reader that pauses (`| less`) or a slow disk then holds up neither requests nor their
    time-outs: the run waits in `write`, the event loop does not.

    Attributes:
        error: why a line could not be written, or None; from then on, lines are dropped.
        dropped: how many lines were.

    """

    def __init__(self, descriptor: int) -> None:
        """Write to an open descriptor; it is left open."""
        self.error: OSError | None = None
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_MOST_WAITING)
        self._ended = asyncio.Event()
        self._abandoned = False

    async def __aenter__(self) -> Self:
        """Start the thread."""
        loop = asyncio.get_running_loop()
        # A daemon: one that hangs in a pipe nobody reads must not hold up a second Ctrl-C.
        threading.Thread(target=self._work, args=[loop], name="outcomes", daemon=True).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait until all is written, unless it was abandoned."""
        self._lines.put(None)
        if not self._abandoned:
            await self._ended.wait()

    def abandon(self) -> None:
        """Do not wait for what is not written yet."""
        self._abandoned = True

    async def write(self, line: str) -> bool:
        """Write a line soon; false: nobody can be told anything any more."""
        await self._room.acquire()
        self._lines.put(line + "\n")
        return self.error is None

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        for lines in self._batches():
            if self.error is None:
                try:
                    _write_all(self._descriptor, "".join(lines).encode())
                except OSError as error:
                    self.error = error
            if self.error is not None:
                self.dropped += len(lines)
            _tell(loop, self._give_room, len(lines))
        _tell(loop, self._ended.set)

    def _batches(self) -> Iterator[list[str]]:
        line = self._lines.get()
        while line is not None:
            batch: list[str] = []
            while line is not None:
                batch.append(line)
                if self._lines.empty():
                    break
                line = self._lines.get()
            yield batch
            if line is not None:
                line = self._lines.get()

    def _give_room(self, lines: int) -> None:
        for _ in range(lines):
            self._room.release()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., object], *about: int) -> None:
    # A writer that was abandoned may outlive the loop, which then says so.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *about)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
