"""Many time-outs, few timers.

A timer of the event loop for each request costs as much as checking the answer does. Requests of
a client have nearly the same time-out, so those that end at nearly the same moment share one.
"""

import asyncio
import math
from typing import Final

# A time-out may come late by a 64th part of itself: two to the power of this, less one.
_FINENESS: Final = 7


class SharedTimeout:
    """A time-out of the task that set it: cancels it once, unless it is stopped before.

    It rings between two steps of the task, so the task's next step begins with its
    `CancelledError`: no answer can overtake it. What stands between may turn that error into
    another one or swallow it, so `rang` can be asked whatever came, and `stop` leaves no
    cancellation behind that a later `asyncio.timeout` or `TaskGroup` would take for its own.
    """

    __slots__ = ("_cancelling", "_group", "_pending", "_rang", "_task")

    def __init__(self, task: "asyncio.Task[object]", group: "set[SharedTimeout]") -> None:
        """Wake `task` together with all of `group`."""
        self._task = task
        self._cancelling = task.cancelling()
        self._group = group
        self._rang = False
        # Whether the task still counts the alarm's cancellation.
        self._pending = False
        group.add(self)

    def stop(self) -> None:
        """Do not cancel any more, and take back a cancellation that was not asked about."""
        self._group.discard(self)
        if self._pending:
            self._take_back()

    def rang(self) -> bool:
        """Say whether this alarm, and nobody else, cancelled the task; its part is taken back."""
        if self._pending:
            self._take_back()
        return self._rang and not self.overruled

    @property
    def overruled(self) -> bool:
        """Whether somebody else has cancelled the task since; ask `rang` before."""
        return self._task.cancelling() > self._cancelling

    def move(self, group: "set[SharedTimeout]") -> None:
        """Belong to another group from now on."""
        self._group = group

    def ring(self) -> None:
        """Cancel the task."""
        self._rang = self._pending = True
        self._task.cancel()

    def _take_back(self) -> None:
        self._pending = False
        self._task.uncancel()


class _LastOnes(set[SharedTimeout]):
    """The alarms that are still needed when no more are set: their timer ends with them."""

    def __init__(self, alarms: set[SharedTimeout], timer: asyncio.TimerHandle) -> None:
        super().__init__(alarms)
        self._timer = timer
        for alarm in alarms:
            alarm.move(self)

    def discard(self, alarm: object) -> None:
        super().discard(alarm)
        if not self:
            self._timer.cancel()


class SharedTimeouts:
    """The alarms of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the clock and the timers of `loop`."""
        self._loop = loop
        self._groups: dict[float, tuple[set[SharedTimeout], asyncio.TimerHandle]] = {}
        # Of the last time-out, which nearly all are equal to: its group, and until when it is that.
        self._seconds = 0.0
        self._group: set[SharedTimeout] = set()
        self._until = -math.inf

    def set(self, seconds: float) -> SharedTimeout:
        """Set an alarm for the running task, in so many seconds or up to a 64th part later."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request must be made from a task")
        now = self._loop.time()
        if seconds != self._seconds or now >= self._until:
            self._choose(now, seconds)
        return SharedTimeout(task, self._group)

    def close(self) -> None:
        """Leave no timer behind. Those that are still set ring; no more can be set."""
        for when, (group, timer) in self._groups.items():
            if group:
                self._groups[when] = _LastOnes(group, timer), timer
            else:
                timer.cancel()

    def _choose(self, now: float, seconds: float) -> None:
        # A power of two, so that time-outs of nearly the same length share their moments.
        width = math.ldexp(1.0, math.frexp(seconds)[1] - _FINENESS)
        when = (int((now + seconds) / width) + 1) * width
        if when not in self._groups:
            self._groups[when] = set(), self._loop.call_at(when, self._ring, when)
        group, _ = self._groups[when]
        self._seconds, self._group, self._until = seconds, group, when - seconds

    def _ring(self, when: float) -> None:
        group, _ = self._groups.pop(when)
        for alarm in group:
            alarm.ring()
