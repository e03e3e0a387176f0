"""Private: how a client drains: it accepts no new calls, and waits for those in progress."""

import asyncio
import threading
from types import TracebackType
from typing import Final, Protocol

from restream_async._retry.deadline import Deadline, Stop
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import Call, ClientClosedError

STOP_GRACE: Final = 5.0
"""Seconds that requests in flight may take after their run or their client was stopped."""

_PERIOD: Final = 0.2
"""Seconds between two checks for an outage."""
_ANOTHER_LOOP_NOTE: Final = (
    "make one client for each event loop: each asyncio.run and each thread has its own"
)


class Run(Protocol):
    """Many calls that are stopped together, such as a bulk run."""

    def end_input(self) -> None:
        """Begin nothing new, and finish what was begun."""
        ...

    def stop(self) -> None:
        """End every wait."""
        ...


class CallsInProgress:
    """The calls and runs of one client that have not ended, all in one event loop.

    A call is counted by a block around it:

        with calls as deadline:
            ...

    """

    def __init__(
        self, executor: RequestExecutor, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Start with none. If `loop` is None, the loop of the first call is the client's."""
        self._executor = executor
        self._loop = loop
        # Two threads may make the first call at the same time.
        self._choosing_loop = threading.Lock()
        self._draining = False
        self._stop = Stop()
        self._calls = 0
        self._runs: set[Run] = set()
        self._one_ended: asyncio.Event | None = None

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
        self._note_end()

    def in_own_loop(self) -> bool:
        """Return whether the running event loop is the client's."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            with self._choosing_loop:
                self._loop = self._loop or loop
        return self._loop is loop

    def accepts(self) -> bool:
        """Return whether a new call is accepted from the running event loop."""
        return not self._draining and self.in_own_loop()

    def refusal(self, call: Call) -> ClientClosedError:
        """Return the error of a call that is not accepted."""
        if self.in_own_loop():
            return ClientClosedError(call, detail="the client is draining", sent=False)
        detail = "the client belongs to another event loop"
        return ClientClosedError(call, detail=detail, sent=False, note=_ANOTHER_LOOP_NOTE)

    def add(self, run: Run, call: Call) -> None:
        """Count a run.

        Args:
            run: the run that begins.
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
        self._note_end()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - the grace period follows it
        """Accept nothing new, and return when all calls and runs have ended.

        After `timeout` seconds, or at once in an outage, all waits end. Requests that are in flight
        even after the grace period are left alone.
        """
        self._draining = True
        for run in tuple(self._runs):
            run.end_input()
        now = asyncio.get_running_loop().time
        end = now() + timeout
        while not await self._all_end_within(min(_PERIOD, max(0.0, end - now()))):
            if now() < end and self._executor.limiter.state == "closed":
                continue
            self._stop.request()
            for run in tuple(self._runs):
                run.stop()
            await self._all_end_within(STOP_GRACE)
            return

    async def _all_end_within(self, seconds: float) -> bool:
        one_ended = self._one_ended = self._one_ended or asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                while self._calls or self._runs:
                    one_ended.clear()
                    await one_ended.wait()
        except TimeoutError:
            return False
        return True

    def _note_end(self) -> None:
        if self._one_ended is not None:
            self._one_ended.set()
