"""How a bulk run or an undo that is told to stop ends within seconds."""

import asyncio
from collections.abc import Collection
from typing import Final

from restream_async._operations.draining import GRACE
from restream_async._retry.deadline import Stop
from restream_async.errors import Call, NotSentError, OutcomeUnknownError, TransportError

EVERY: Final = 1.0
"""Seconds between two cancellations of tasks that go on after the grace period."""


class GracefulStop:
    """How a run ends within seconds once it is told to stop.

    Its waits end at once. Tasks that go on after the grace are cancelled, and again every second:
    an input may keep a cancellation to itself.

    Attributes:
        stop: makes the waits of the run's calls end.
        grace_over: whether tasks were cancelled.

    """

    def __init__(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Look after `tasks`: those that have not ended yet."""
        self._tasks = tasks
        self._timer: asyncio.TimerHandle | None = None
        self.stop = Stop()
        self.grace_over = False

    def begin(self) -> None:
        """End every wait, and cancel what goes on after the grace."""
        self.stop.request()
        self._cut_after(GRACE)

    def finish(self) -> None:
        """Cancel nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        self.grace_over = True
        for task in self._tasks:
            task.cancel()
        self._cut_after(EVERY)

    def _cut_after(self, seconds: float) -> None:
        if self._tasks:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._cut)


def cut_short(call: Call, *, in_doubt: bool, note: str) -> NotSentError | OutcomeUnknownError:
    """Return the error of a call that its run does not go on with.

    Args:
        call: which one.
        in_doubt: whether it may have taken effect.
        note: what to do about it then.

    """
    if not in_doubt:
        return NotSentError(call, detail="its run ended before it was sent", sent=False)
    doubt = TransportError(call, detail="its run ended before the answer came", sent=True)
    return OutcomeUnknownError(call, doubt=doubt, attempts=1, note=note)
