"""Tasks and clean-up under cancellation, by whomever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def run_to_completion(work: Callable[[], Awaitable[_T]]) -> _T:
    """Await what must not be left half done, however often the current task is cancelled.

    The cancellation goes on afterwards. Where something cancels all tasks of the loop, `work` may
    be cancelled itself. Then it is called again, so it must be able to begin again.
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
        # An error is not raised beside the cancellation, but asyncio need not report it as lost.
        future.exception()
    try:
        raise interruption
    finally:
        # Else the error holds this frame, and the frame the error.
        del interruption


def _was_cancelled(work: object) -> bool:
    return isinstance(work, asyncio.Task) and work.cancelling() > 0


def cancelled_by_others() -> RuntimeError:
    """Return the error of work whose tasks somebody else has cancelled.

    `asyncio.TaskGroup` takes a cancelled child for a finished one.
    """
    return RuntimeError(
        "tasks of this work were cancelled from outside, so it is incomplete: each restream that "
        "was read has an outcome, and OutcomeUnknownError where it may exist"
    )
