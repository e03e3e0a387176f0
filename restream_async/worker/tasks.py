"""Ending tasks for certain."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

# Time to clean up after a cancellation, before it is taken for lost.
_SECONDS: Final = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they have ended; what they raise is of no interest any more.

    `asyncio.wait_for` of Python 3.11, which nats-py uses for every request, loses a cancellation
    that comes at the moment in which what it waits for is done. So it is told again.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def before(event: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return the result of work, or None where an event comes before it and ends the work."""
    task, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await end(task, waiting)
