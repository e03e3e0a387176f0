"""How a client comes to a good end: no new calls, and time for those under way."""

import asyncio
import threading
from types import TracebackType
from typing import Final, Protocol

from restream_async._retry.deadline import Deadline, Stop
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import (
    Call,
    ClientClosedError,
)

GRACE: Final = 5.0
"""Seconds that requests on the wire may take after their run or their client was told to stop."""

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


class CallsInProgress:
    """The calls and runs of one client that have not ended yet, all in one event loop.

    A block around a call counts it:

        with under_way as deadline:
            ...

    Attributes:
        accepting_loop: the event loop whose calls are accepted without a further check; None before
            the first call, and while the client is draining.

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
        self.accepting_loop: asyncio.AbstractEventLoop | None = None
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

    def in_own_loop(self) -> bool:
        """Say whether the running event loop is that of the client."""
        loop = asyncio.get_running_loop()
        with self._deciding:
            if self._loop is None:
                self._loop = loop
        return self._loop is loop

    def accepts(self) -> bool:
        """Say whether a new call is accepted from the running event loop."""
        accepted = self.in_own_loop() and not self._draining
        if accepted:
            self.accepting_loop = self._loop
        return accepted

    def refusal(self, call: Call) -> ClientClosedError:
        """Return the error of a call that is not accepted."""
        if self.in_own_loop():
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
        self.accepting_loop = None
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
