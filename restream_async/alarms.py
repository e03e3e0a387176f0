"""Many time-outs, few timers.

A timer of the event loop for each request costs as much as checking the answer does. Requests of
a client have nearly the same time-out, so those that end at nearly the same moment share one.
"""

import asyncio
import math
from typing import Final

# A time-out may come late by a 64th part of itself: two to the power of this, less one.
_FINENESS: Final = 7


class Alarm:
    """A time-out of the task that set it: cancels it once, unless it is stopped before.

    After a `CancelledError` in that task, `rang` says whether it was this alarm alone.
    """

    __slots__ = ("_cancelling", "_group", "_ringing", "_task")

    def __init__(self, task: "asyncio.Task[object]", group: "set[Alarm]") -> None:
        """Wake `task` together with all of `group`."""
        self._task = task
        self._cancelling = task.cancelling()
        self._group = group
        self._ringing = False
        group.add(self)

    def stop(self) -> None:
        """Do not cancel any more."""
        self._group.discard(self)

    def rang(self) -> bool:
        """Say whether this alarm, and nobody else, cancelled the task; to be asked once."""
        return self._ringing and self._task.uncancel() <= self._cancelling

    def ring(self) -> None:
        """Cancel the task."""
        self._ringing = True
        self._task.cancel()


class Alarms:
    """The alarms of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the clock and the timers of `loop`."""
        self._loop = loop
        self._groups: dict[float, set[Alarm]] = {}
        # Of the last time-out; nearly all are equal.
        self._seconds = self._width = 0.0

    def set(self, seconds: float) -> Alarm:
        """Set an alarm for the running task, in so many seconds or up to a 64th part later."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request must be made from a task")
        if seconds != self._seconds:
            self._seconds = seconds
            # A power of two, so that time-outs of nearly the same length share their moments.
            self._width = math.ldexp(1.0, math.frexp(seconds)[1] - _FINENESS)
        width = self._width
        when = (int((self._loop.time() + seconds) / width) + 1) * width
        group = self._groups.get(when)
        if group is None:
            group = self._groups[when] = set()
            self._loop.call_at(when, self._ring, when)
        return Alarm(task, group)

    def _ring(self, when: float) -> None:
        for alarm in self._groups.pop(when):
            alarm.ring()
