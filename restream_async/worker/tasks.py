"""Ending tasks reliably."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

# Seconds after which a cancellation counts as lost.
_SECONDS: Final = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended. Ignores their results and errors.

    nats-py uses `asyncio.wait_for` for every request. In Python 3.11 it loses a cancellation that
    comes in the moment in which the request ends. So the cancellation is repeated.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def unless_set(event: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return the result of work. If the event is set first, end the work and return None."""
    task, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await end(task, waiting)
