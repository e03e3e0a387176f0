"""Ctrl-C and SIGTERM: the first one lets what is in flight finish, a second one stops at once."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Watches for signals while its block runs.

    A second signal cancels the task that entered the block; that cancellation ends here.

    Attributes:
        first: the first signal that came, or None.
        cut_short: whether a second one came.

    """

    def __init__(self, finish: Callable[[], object]) -> None:
        """Call `finish` at the first signal."""
        self.first: signal.Signals | None = None
        self.cut_short = False
        self._finish = finish
        self._task: asyncio.Task[object] | None = None

    @property
    def exit_code(self) -> int | None:
        """What a shell expects of a process that such a signal ended; None if none came."""
        return None if self.first is None else 128 + self.first

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        # Windows' loops have no signal handlers: there, Ctrl-C raises KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._came, number)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Watch no more; a cancellation that came from here is over."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        if not self.cut_short or self._task is None:
            return False
        return self._task.uncancel() == 0 and isinstance(error, asyncio.CancelledError)

    def _came(self, number: signal.Signals) -> None:
        if self.first is None:
            self.first = number
            self._finish()
        elif not self.cut_short and self._task is not None:
            self.cut_short = True
            self._task.cancel()
