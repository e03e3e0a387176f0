"""Private: shared timeouts. Many requests share few timers.

A timer of the event loop for each request would cost 4 % of a creation. The requests of a client
have nearly the same timeout, so those that time out at nearly the same moment share one timer.
"""

import asyncio
import math
from typing import Final

# A timeout may come late by a 64th part of itself: 2 to the power of this, less one.
_FINENESS: Final = 7


class SharedTimeout:
    """A timeout of the task that started it, which cancels the task once if it expires.

    It expires between two steps of the task, so the task's next step begins with a
    `CancelledError`, and no response can overtake it. The code in between may turn that error into
    another one, or swallow it. So `expired` works whatever came, and `cancel` takes back a
    cancellation that a later `asyncio.timeout` or `TaskGroup` would otherwise take for its own.
    """

    __slots__ = ("_cancelling", "_expired", "_group", "_pending", "_task")

    def __init__(self, task: "asyncio.Task[object]", group: "set[SharedTimeout]") -> None:
        """Expire together with all of `group`."""
        self._task = task
        self._cancelling = task.cancelling()
        self._group = group
        self._expired = False
        # Whether the task still counts the cancellation of this timeout.
        self._pending = False
        group.add(self)

    def cancel(self) -> None:
        """End the timeout, and take its cancellation of the task back."""
        self._group.discard(self)
        if self._pending:
            self._take_back()

    def expired(self) -> bool:
        """Return whether this timeout alone cancelled the task; take its cancellation back."""
        if self._pending:
            self._take_back()
        return self._expired and not self.cancelled_from_outside

    @property
    def cancelled_from_outside(self) -> bool:
        """Whether something else has cancelled the task since; call `expired` before."""
        return self._task.cancelling() > self._cancelling

    def move(self, group: "set[SharedTimeout]") -> None:
        """Belong to another group from now on."""
        self._group = group

    def expire(self) -> None:
        """Cancel the task."""
        self._expired = self._pending = True
        self._task.cancel()

    def _take_back(self) -> None:
        self._pending = False
        self._task.uncancel()


class _LastGroup(set[SharedTimeout]):
    """Timeouts that go on after `close`. Their timer ends with the last of them."""

    def __init__(self, timeouts: set[SharedTimeout], timer: asyncio.TimerHandle) -> None:
        super().__init__(timeouts)
        self._timer = timer
        for timeout in timeouts:
            timeout.move(self)

    def discard(self, timeout: object) -> None:
        super().discard(timeout)
        if not self:
            self._timer.cancel()


class SharedTimeouts:
    """The timeouts of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the clock and the timers of `loop`."""
        self._loop = loop
        self._groups: dict[float, tuple[set[SharedTimeout], asyncio.TimerHandle]] = {}
        # The group of the latest timeout, and until when timeouts of so many seconds belong to it.
        self._seconds = 0.0
        self._group: set[SharedTimeout] = set()
        self._until = -math.inf

    def start(self, seconds: float) -> SharedTimeout:
        """Start a timeout of the running task, which expires up to a 64th part later."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request must be made from a task")
        now = self._loop.time()
        if seconds != self._seconds or now >= self._until:
            self._choose_group(now, seconds)
        return SharedTimeout(task, self._group)

    def close(self) -> None:
        """Cancel the timers that nothing needs. Running timeouts go on; none can be started."""
        for when, (group, timer) in self._groups.items():
            if group:
                self._groups[when] = _LastGroup(group, timer), timer
            else:
                timer.cancel()

    def _choose_group(self, now: float, seconds: float) -> None:
        # A power of two, so that timeouts of nearly the same length share their moments.
        width = math.ldexp(1.0, math.frexp(seconds)[1] - _FINENESS)
        when = (int((now + seconds) / width) + 1) * width
        if when not in self._groups:
            self._groups[when] = set(), self._loop.call_at(when, self._expire, when)
        group, _ = self._groups[when]
        self._seconds, self._group, self._until = seconds, group, when - seconds

    def _expire(self, when: float) -> None:
        group, _ = self._groups.pop(when)
        for timeout in group:
            timeout.expire()
