"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class LoopThread:
    """Runs an event loop until `close`."""

    def __init__(self, name: str) -> None:
        """Start a thread with that name, and the loop in it."""
        started: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._closed = asyncio.Event()

        async def run_until_closed() -> None:
            started.set_result(asyncio.get_running_loop())
            await self._closed.wait()

        # A daemon thread, so that a test session that is interrupted does not wait for it.
        self._thread = threading.Thread(
            target=lambda: asyncio.run(run_until_closed()), name=name, daemon=True
        )
        self._thread.start()
        self._loop = started.result()

    def run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread of the loop, and return its result."""
        if threading.current_thread() is self._thread:
            return function()

        async def called() -> T:
            return function()

        return self.run(called()).result()

    def close(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()
