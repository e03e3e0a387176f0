"""How a client comes to a good end: no new calls, and time for those under way."""

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import Final, Protocol

from restream_async.calls import Caller
from restream_async.deadline import Deadline, Stop
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


class Run(Protocol):
    """Many calls under one name, such as a bulk run."""

    def end_input(self) -> None:
        """Begin nothing new, and finish what was begun."""
        ...

    def stop(self) -> None:
        """Wait for nothing any more."""
        ...


class Ending:
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


class UnderWay:
    """The calls and runs of one client that have not ended yet.

    A block around a call counts it:

        with under_way as deadline:
            ...

    Attributes:
        draining: whether no new ones are accepted.

    """

    def __init__(self, caller: Caller) -> None:
        """Begin with none."""
        self._caller = caller
        self._stop = Stop()
        self._calls = 0
        self._runs: set[Run] = set()
        self._news: asyncio.Event | None = None
        self.draining = False

    def __enter__(self) -> Deadline:
        """Count a call, and return its deadline."""
        self._calls += 1
        return self._caller.begin(self._stop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Note that the call has ended."""
        self._calls -= 1
        self._tell()

    def add(self, run: Run, call: Call) -> None:
        """Count a run.

        Args:
            run: what begins.
            call: the kind of call that it makes, for the error.

        Raises:
            ClientClosedError: the client is draining.

        """
        if self.draining:
            raise refusal(call)
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
        self.draining = True
        for run in tuple(self._runs):
            run.end_input()
        now = asyncio.get_running_loop().time
        end = now() + timeout
        while not await self._ended(min(_PERIOD, max(0.0, end - now()))):
            if now() < end and self._caller.limiter.state == "open":
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


def refusal(call: Call) -> ClientClosedError:
    """Return the error of a call that a draining client does not accept."""
    return ClientClosedError(call, detail="the client is draining", sent=False)
