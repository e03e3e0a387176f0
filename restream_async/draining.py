"""How a client comes to a good end: no new calls, and time for those under way."""

import asyncio
from types import TracebackType
from typing import Final, Protocol

from restream_async.calls import Caller
from restream_async.deadline import Deadline, Stop
from restream_async.errors import Call, ClientClosedError

GRACE: Final = 5.0
"""Seconds that requests on the wire may take after their run or their client was told to stop."""


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

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a part of it comes after the time
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
            if now() < end and self._caller.gate.state == "open":
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
