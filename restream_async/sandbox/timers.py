"""Timers of a sandbox: work that is done later, even if its client has left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Timers:
    """All work that is due later, so that closing leaves nothing behind."""

    def __init__(self) -> None:
        """Start with nothing due."""
        self._actions: dict[asyncio.Future[Any], asyncio.TimerHandle] = {}
        self._commits: dict[Callable[[], object], asyncio.TimerHandle] = {}
        self._sleeping: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._settled.set()

    def run_later(self, seconds: float, action: Callable[[], T]) -> asyncio.Future[T]:
        """Run `action` in `seconds`, and return a future with its result.

        Cancelling the future does not cancel the action. Closing the sandbox cancels both.
        """

        def run() -> None:
            del self._actions[result]
            outcome = action()
            if not result.done():
                result.set_result(outcome)
            self._note_if_settled()

        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._actions[result] = loop.call_later(seconds, run)
        self._settled.clear()
        return result

    def commit_later(self, seconds: float, action: Callable[[], object]) -> None:
        """Run `action` in `seconds`, or when the sandbox closes if that is sooner."""

        def run() -> None:
            del self._commits[run]
            action()
            self._note_if_settled()

        self._commits[run] = asyncio.get_running_loop().call_later(seconds, run)
        self._settled.clear()

    async def sleep(self, seconds: float) -> None:
        """Sleep. Raises `asyncio.CancelledError` if the sandbox closes meanwhile."""
        sleeping = asyncio.create_task(asyncio.sleep(seconds))
        self._sleeping.add(sleeping)
        sleeping.add_done_callback(self._sleeping.discard)
        await sleeping

    async def settled(self) -> None:
        """Wait until no work and no commit is due any more."""
        await self._settled.wait()

    def close(self) -> None:
        """Run all commits now, and cancel other work and all that sleep."""
        for commit, timer in list(self._commits.items()):
            timer.cancel()
            commit()
        for result, timer in self._actions.items():
            timer.cancel()
            result.cancel()
        self._actions.clear()
        for sleeping in self._sleeping:
            sleeping.cancel()
        self._note_if_settled()

    def _note_if_settled(self) -> None:
        if not self._actions and not self._commits:
            self._settled.set()
