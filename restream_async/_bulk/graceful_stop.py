"""Private: ends a stopped bulk run or undo within seconds."""

import asyncio
from collections.abc import Collection
from typing import Final

from restream_async._operations.draining import STOP_GRACE
from restream_async._retry.deadline import Stop

EVERY: Final = 1.0
"""Seconds between two cancellations of tasks that go on after the grace period."""


class GracefulStop:
    """Stops a run: its waits end at once, its tasks are cancelled after a grace period.

    The cancellation is repeated every second, because the code of an input may suppress it.

    Attributes:
        stop: ends the waits of the run's calls.
        grace_over: whether tasks were cancelled.

    """

    def __init__(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Stop `tasks`, a collection that holds those that have not ended."""
        self._tasks = tasks
        self._timer: asyncio.TimerHandle | None = None
        self.stop = Stop()
        self.grace_over = False

    def begin(self) -> None:
        """End every wait, and cancel after the grace period."""
        self.stop.request()
        self._cancel_after(STOP_GRACE)

    def finish(self) -> None:
        """Cancel nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _cancel_tasks(self) -> None:
        self.grace_over = True
        for task in self._tasks:
            task.cancel()
        self._cancel_after(EVERY)

    def _cancel_after(self, seconds: float) -> None:
        if self._tasks:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._cancel_tasks)
