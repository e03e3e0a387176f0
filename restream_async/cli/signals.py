"""Private: the first Ctrl-C or SIGTERM finishes the requests in flight, a second stops at once."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Handles stop signals while its block runs.

    A second signal cancels the task that entered the block; the block absorbs that cancellation.

    Attributes:
        first: the first signal that arrived, or None.
        cut_short: whether a second one arrived.

    """

    def __init__(self, finish: Callable[[], object]) -> None:
        """Call `finish` at the first signal."""
        self.first: signal.Signals | None = None
        self.cut_short = False
        self._finish = finish
        self._task: asyncio.Task[object] | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code that shells expect after the signal; None if none arrived."""
        return None if self.first is None else 128 + self.first

    async def __aenter__(self) -> Self:
        """Install the handlers."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        # Event loops on Windows have no signal handlers: there, Ctrl-C raises KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._on_signal, number)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Remove the handlers, and absorb the cancellation by a second signal."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        if not self.cut_short or self._task is None:
            return False
        return self._task.uncancel() == 0 and isinstance(error, asyncio.CancelledError)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.first is None:
            self.first = number
            self._finish()
        elif not self.cut_short and self._task is not None:
            self.cut_short = True
            self._task.cancel()
