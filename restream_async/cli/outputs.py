"""One JSON line for each outcome, for machines: no stream key, no stream URL."""

import asyncio
import contextlib
import json
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from restream_async import ApiError, Created, Outcome
from restream_async.cli.trouble import Trouble, why

# Lines that may wait for a slow reader before the run does.
_MOST_WAITING: Final = 1000


def outcome_line(outcome: Outcome, line: int) -> str:
    """Return an outcome as JSON. It is all ASCII, so it cannot steer a terminal either.

    Args:
        outcome: what became of a restream.
        line: the line of the input on which it stands.

    """
    fields: dict[str, Any] = {"line": line, "index": outcome.index}
    request = outcome.request
    if isinstance(outcome, Created):
        fields |= {
            "outcome": "created",
            "id": outcome.restream.id,
            "videoId": request.video_id,
            "title": request.title,
            "status": outcome.restream.status,
            "origin": outcome.origin.value,
            "attempts": outcome.attempts,
            "maybeDuplicate": outcome.maybe_duplicate,
        }
    else:
        error = outcome.error
        fields |= {
            "outcome": "failed",
            "videoId": request.video_id,
            "title": request.title,
            "errorType": type(error).__name__,
            "error": str(error),
            "attempts": outcome.attempts,
        }
        if isinstance(error, ApiError):
            # Not `status`, which is true or false in the other kind of line.
            fields["httpStatus"] = error.status
    return json.dumps(fields)


def opened_for_writing(path: Path, *, force: bool) -> int:
    """Open a new file for nobody but its owner, and return its descriptor.

    Raises:
        Trouble: it exists already, or cannot be written.

    """
    refuse_to_overwrite(path, force=force)
    # Not O_EXCL for a device or a pipe, which are there to be written to.
    fresh = os.O_TRUNC if force or path.exists() else os.O_EXCL
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | fresh, 0o600)
    except OSError as error:
        raise Trouble(f"cannot write {path}: {why(error)}") from None


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Do nothing if a file may be written.

    Raises:
        Trouble: it is there already, and nobody said that it may go.

    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and not force:
        raise Trouble(f"{path} exists already: pass --force to overwrite it, or name another one")


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
