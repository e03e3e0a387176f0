"""Private: calls a function at intervals while a block runs."""

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Ticker:
    """Calls a function again and again while its block runs.

    An error of the function is raised at the end of the block.
    """

    _task: asyncio.Task[None]

    def __init__(self, every: float, tick: Callable[[], None]) -> None:
        """Call `tick` every so many seconds; the first call comes after as many."""
        self._every = every
        self._call = tick

    async def __aenter__(self) -> Self:
        """Start calling it."""
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop calling it."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self._call()
