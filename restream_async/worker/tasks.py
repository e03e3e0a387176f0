"""Ending tasks for certain."""

import asyncio
from typing import Any, Final

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
