"""Private: timers of the concurrency limiter."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Timer: TypeAlias = asyncio.Task[None]


class Timers:
    """Calls functions later. A timer is a task, because its sleep is handed in."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait with `sleep`."""
        self._sleep = sleep
        self._tasks: set[Timer] = set()
        self._closed = False

    def after(self, seconds: float, then: Callable[[], None]) -> Timer | None:
        """Call `then` after so many seconds; return the timer, or None after `close`.

        A cancelled timer calls it at once: code that cancels all tasks of the event loop cancels
        timers too, and requests may still wait for them.
        """
        if self._closed:
            return None

        async def wait() -> None:
            await self._sleep(seconds)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not self._closed:
                then()

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(end)
        return task

    async def close(self) -> None:
        """Cancel all timers without calling anything, and wait until they have ended."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
