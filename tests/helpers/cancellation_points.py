"""Cancelling at a chosen await, of those that a call really suspends at."""

from __future__ import annotations

import asyncio
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

_T = TypeVar("_T")


@attrs.define
class Suspensions:
    """Counts them, and cancels the task at one.

    Attributes:
        fatal: the number of the suspension to cancel at, from 1.
        late: whether to cancel in the moment in which the awaited result is there and the task has
            not got it yet. A result can get lost then. If false, cancels while it is awaited.
        count: how many there have been so far.

    """

    fatal: int
    late: bool = False
    count: int = 0

    @property
    def reached(self) -> bool:
        """Whether the task was cancelled."""
        return self.count >= self.fatal

    def of(self, body: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run `body` in a task of its own."""

        async def run() -> _T:
            return await self._drive(body)

        return asyncio.create_task(run())

    @coroutine
    def _drive(self, body: Coroutine[Any, Any, _T]) -> Generator[Any, None, _T]:
        """Step through `body` as a task does: what it yields is what it waits for."""
        proceed: Callable[[], Any] = partial(body.send, None)
        while True:
            try:
                awaited = proceed()
            except StopIteration as end:
                result: _T = end.value
                return result
            self.count += 1
            if self.count == self.fatal:
                self._cancel(awaited)
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the body's
                proceed = partial(body.throw, error)
            else:
                proceed = partial(body.send, None)

    def _cancel(self, awaited: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self.late and awaited is not None:
            # Before the task's own callback, which is added when the future is yielded to it.
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()
