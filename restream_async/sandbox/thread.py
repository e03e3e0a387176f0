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
    """Runs an event loop from its making until `close`."""

    def __init__(self, name: str) -> None:
        """Start a thread of that name, and the loop in it."""
        started: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._over = asyncio.Event()

        async def stay() -> None:
            started.set_result(asyncio.get_running_loop())
            await self._over.wait()

        # A daemon: a test session that breaks off must not wait for it.
        self._thread = threading.Thread(target=lambda: asyncio.run(stay()), name=name, daemon=True)
        self._thread.start()
        self._loop = started.result()

    def begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin work on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, do: Callable[[], T]) -> T:
        """Call a function in the thread of the loop, and return its result."""
        if threading.current_thread() is self._thread:
            return do()

        async def called() -> T:
            return do()

        return self.begin(called()).result()

    def close(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
