"""Private: writes lines in a thread, so that a slow reader holds up no requests."""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

# Lines that may wait for a slow reader before the run waits for it.
_MOST_WAITING: Final = 1000


class LineWriter:
    """Writes lines to a descriptor in a thread of its own.

    A reader that pauses (`| less`) or a slow disk makes the run wait in `write`; the event loop,
    and with it requests in flight and their timeouts, goes on.

    Attributes:
        error: why a line could not be written, or None; all lines after it are dropped.
        dropped: how many lines were dropped.

    """

    def __init__(self, descriptor: int) -> None:
        """Write to an open descriptor, and leave it open."""
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
        # A daemon: a thread that hangs in a pipe without a reader must not prevent the exit.
        threading.Thread(target=self._work, args=[loop], name="outcomes", daemon=True).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait until all lines are written, unless the writer was abandoned."""
        self._lines.put(None)
        if not self._abandoned:
            await self._ended.wait()

    def abandon(self) -> None:
        """Do not wait for lines that are not written yet."""
        self._abandoned = True

    async def write(self, line: str) -> bool:
        """Write a line soon; return false once a line could not be written."""
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
            _call_in_loop(loop, self._give_room, len(lines))
        _call_in_loop(loop, self._ended.set)

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


def _call_in_loop(
    loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: int
) -> None:
    # The thread of an abandoned writer may outlive the loop, which then raises this.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
