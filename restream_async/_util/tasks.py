"""Private: tasks that are cancelled from outside, and clean-up that goes on all the same."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def run_to_completion(work: Callable[[], Awaitable[_T]]) -> _T:
    """Await `work()` to its end, however often the current task is cancelled.

    A cancellation is raised afterwards. If something cancels all tasks of the event loop, `work`
    itself may be cancelled. It is then called again, so it must be able to start over.
    """
    interruption: asyncio.CancelledError | None = None
    while True:
        future: asyncio.Future[_T] = asyncio.ensure_future(work())
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                interruption = error
        if not (future.cancelled() and _was_cancelled(future)):
            break
    if interruption is None:
        return future.result()
    if not future.cancelled():
        # The cancellation is raised, not an error of `work`; asyncio must not report that as lost.
        future.exception()
    try:
        raise interruption
    finally:
        # Otherwise the error and this frame hold each other until garbage collection.
        del interruption


def _was_cancelled(work: object) -> bool:
    return isinstance(work, asyncio.Task) and work.cancelling() > 0


def cancelled_by_others() -> RuntimeError:
    """Return the error of work whose tasks were cancelled from outside.

    `asyncio.TaskGroup` treats a cancelled child like a finished one, and raises nothing.
    """
    return RuntimeError(
        "tasks of this work were cancelled from outside, so it is incomplete: each restream that "
        "was read has an outcome, and OutcomeUnknownError where it may exist"
    )
