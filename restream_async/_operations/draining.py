"""How a client comes to a good end: no new calls, and time for those under way."""

import asyncio
import threading
from collections.abc import Collection
from types import TracebackType
from typing import Final, Protocol

from restream_async._retry.deadline import Deadline, Stop
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import (
    Call,
    ClientClosedError,
    NotSentError,
    OutcomeUnknownError,
    TransportError,
)

GRACE: Final = 5.0
"""Seconds that requests on the wire may take after their run or their client was told to stop."""

EVERY: Final = 1.0
"""Seconds between two cancellations of what goes on after that."""


_PERIOD: Final = 0.2
"""Seconds between two checks for an outage."""
_ANOTHER_LOOP_NOTE: Final = (
    "make one client for each event loop: each asyncio.run and each thread has its own"
)


class Run(Protocol):
    """Many calls under one name, such as a bulk run."""

    def end_input(self) -> None:
        """Begin nothing new, and finish what was begun."""
        ...

    def stop(self) -> None:
        """Wait for nothing any more."""
        ...


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


class CallsInProgress:
    """The calls and runs of one client that have not ended yet, all in one event loop.

    A block around a call counts it:

        with under_way as deadline:
            ...

    Attributes:
        open_in: the event loop whose calls are accepted unasked; None before the first call, and
            while the client is draining.

    """

    def __init__(
        self, executor: RequestExecutor, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Begin with none; without a loop, the first who comes decides which one it is."""
        self._executor = executor
        self._loop = loop
        # Two threads may come first.
        self._deciding = threading.Lock()
        self._draining = False
        self.open_in: asyncio.AbstractEventLoop | None = None
        self._stop = Stop()
        self._calls = 0
        self._runs: set[Run] = set()
        self._news: asyncio.Event | None = None

    def __enter__(self) -> Deadline:
        """Count a call, and return its deadline."""
        self._calls += 1
        return self._executor.begin_call(self._stop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note that the call has ended."""
        self._calls -= 1
        self._tell()

    def at_home(self) -> bool:
        """Say whether the running event loop is that of the client."""
        loop = asyncio.get_running_loop()
        with self._deciding:
            if self._loop is None:
                self._loop = loop
        return self._loop is loop

    def accepts(self) -> bool:
        """Say whether a new call is accepted from the running event loop."""
        accepted = self.at_home() and not self._draining
        if accepted:
            self.open_in = self._loop
        return accepted

    def refusal(self, call: Call) -> ClientClosedError:
        """Return the error of a call that is not accepted."""
        if self.at_home():
            return ClientClosedError(call, detail="the client is draining", sent=False)
        detail = "the client belongs to another event loop"
        return ClientClosedError(call, detail=detail, sent=False, note=_ANOTHER_LOOP_NOTE)

    def add(self, run: Run, call: Call) -> None:
        """Count a run.

        Args:
            run: what begins.
            call: the kind of call that it makes, for the error.

        Raises:
            ClientClosedError: the client is draining, or belongs to another event loop.

        """
        if not self.accepts():
            raise self.refusal(call)
        self._runs.add(run)

    def discard(self, run: Run) -> None:
        """Note that a run has ended."""
        self._runs.discard(run)
        self._tell()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - when it is over, the grace begins
        """Accept nothing new, and return when all has ended.

        What waits after `timeout` seconds, or in an outage, is told to end. What is on the wire
        even after a grace is left alone.
        """
        self._draining = True
        self.open_in = None
        for run in tuple(self._runs):
            run.end_input()
        now = asyncio.get_running_loop().time
        end = now() + timeout
        while not await self._ended(min(_PERIOD, max(0.0, end - now()))):
            if now() < end and self._executor.limiter.state == "closed":
                continue
            self._stop.request()
            for run in tuple(self._runs):
                run.stop()
            await self._ended(GRACE)
            return

    async def _ended(self, seconds: float) -> bool:
        """Wait until all has ended; return False where that takes longer."""
        news = self._news = self._news or asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                while self._calls or self._runs:
                    news.clear()
                    await news.wait()
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
