"""Private: the worker tasks of a run: how many there are, and which item each of them takes next.

A worker acquires a slot in the concurrency limiter, takes an item, and brings it to its outcome.
While it waits for a retry it holds no slot, so another worker is started to use the slot. The
number of workers is limited, so that memory stays bounded. A worker ends if another one already
waits for a slot.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar, cast

from restream_async._bulk.input import InputItem, InputReader
from restream_async._bulk.outcome_queue import OutcomeQueue
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.wait_queue import GivenUpError

_T = TypeVar("_T")


class WorkerPool:
    """Starts workers, and gives them items."""

    def __init__(  # noqa: PLR0913 - the parts of a run, handed over once
        self,
        limiter: ConcurrencyLimiter,
        source: InputReader,
        outcomes: OutcomeQueue,
        *,
        most: int,
        tasks: Collection[asyncio.Task[None]],
        start: Callable[[], asyncio.Task[None]],
    ) -> None:
        """Start with no worker.

        Args:
            limiter: gives the slots.
            source: gives the items.
            outcomes: holds up the workers while it is full.
            most: how many tasks the run may have.
            tasks: those that it has.
            start: starts a worker.

        """
        self._limiter = limiter
        self._source = source
        self._outcomes = outcomes
        self._most = most
        self._tasks = tasks
        self._start = start
        # Workers that have no item, and whether one of them waits for a slot.
        self._idle: set[asyncio.Task[Any]] = set()
        self._one_waits_for_slot = False

    def add_worker(self) -> None:
        """Start a worker if there is an item and a slot for it, and no idle worker."""
        if self._idle or not self._limiter.has_slot or not self._source.ready:
            return
        # Without a task, the run has not begun or has ended.
        if self._tasks and len(self._tasks) < self._most:
            self._idle.add(self._start())

    def worker_began(self) -> None:
        """Note that the calling worker has started."""
        self._idle.discard(_current_task())

    def cancel_idle(self) -> None:
        """Cancel the workers that have no item."""
        for task in self._idle:
            task.cancel()

    async def next_item_and_slot(self) -> tuple[InputItem, bool] | None:
        """Wait for an item and a slot; return the item, and whether there is a slot for it.

        There is no slot if an outage has lasted longer than the client's outage timeout.

        Returns:
            None if the worker has to end.

        """
        source, limiter = self._source, self._limiter
        while True:
            if self._outcomes.full and not source.stopped:
                await self._wait_idle(self.room_for_outcomes())
            elif not source.ready:
                if source.exhausted or len(self._idle) >= limiter.ceiling:
                    return None
                await self._wait_idle(source.wait_until_ready())
            elif limiter.try_acquire():
                return source.take(), True
            elif self._one_waits_for_slot:
                # It takes what is ready as soon as there is a slot.
                return None
            else:
                has_slot = await self._wait_idle(self._acquire_slot())
                if source.ready:
                    return source.take(), has_slot

    async def room_for_outcomes(self) -> None:
        """Wait for a consumer that is slower than the service."""
        while self._outcomes.full and not self._source.stopped:
            await self._outcomes.wait_for_room()

    async def _acquire_slot(self) -> bool:
        """Wait for a slot; return False if there is none, or no item for it."""
        limiter = self._limiter
        self._one_waits_for_slot = True
        try:
            await limiter.acquire(fresh=True)
        except GivenUpError:
            return False
        finally:
            self._one_waits_for_slot = False
        if self._source.ready:
            return True
        # Another worker has taken the item.
        limiter.release()
        return False

    async def _wait_idle(self, wait: Awaitable[_T]) -> _T:
        task = _current_task()
        self._idle.add(task)
        try:
            return await wait
        finally:
            self._idle.discard(task)


def _current_task() -> asyncio.Task[Any]:
    return cast("asyncio.Task[Any]", asyncio.current_task())
