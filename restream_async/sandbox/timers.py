"""Work that is due later, whoever waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Timers:
    """Everything of a sandbox that is due later: owned, so that closing leaves nothing behind."""

    def __init__(self) -> None:
        """Start with nothing due."""
        self._work: dict[asyncio.Future[Any], asyncio.TimerHandle] = {}
        self._commits: dict[Callable[[], object], asyncio.TimerHandle] = {}
        self._naps: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._settled.set()

    def work(self, seconds: float, action: Callable[[], T]) -> asyncio.Future[T]:
        """Do `action` in `seconds` and bring its result.

        It is done even if the future is cancelled, but not if the sandbox closes before: then
        the future is cancelled.
        """

        def run() -> None:
            del self._work[result]
            outcome = action()
            if not result.done():
                result.set_result(outcome)
            self._see_whether_settled()

        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._work[result] = loop.call_later(seconds, run)
        self._settled.clear()
        return result

    def commit(self, seconds: float, action: Callable[[], object]) -> None:
        """Do `action` in `seconds`, or when the sandbox closes if that is sooner."""

        def run() -> None:
            del self._commits[run]
            action()
            self._see_whether_settled()

        self._commits[run] = asyncio.get_running_loop().call_later(seconds, run)
        self._settled.clear()

    async def pause(self, seconds: float) -> None:
        """Sleep, unless the sandbox closes before: then `asyncio.CancelledError`."""
        nap = asyncio.create_task(asyncio.sleep(seconds))
        self._naps.add(nap)
        nap.add_done_callback(self._naps.discard)
        await nap

    async def settled(self) -> None:
        """Wait until no work and no commit is due any more."""
        await self._settled.wait()

    def close(self) -> None:
        """Do what is committed, drop other work, cancel whoever waits."""
        for commit, timer in list(self._commits.items()):
            timer.cancel()
            commit()
        for result, timer in self._work.items():
            timer.cancel()
            result.cancel()
        self._work.clear()
        for nap in self._naps:
            nap.cancel()
        self._see_whether_settled()

    def _see_whether_settled(self) -> None:
        if not self._work and not self._commits:
            self._settled.set()
