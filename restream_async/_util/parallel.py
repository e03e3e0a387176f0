"""Private: runs the same work in several tasks, or works on several things at the same time."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from restream_async._util.tasks import cancelled_by_others

_T = TypeVar("_T")


async def run_in_tasks(
    work: Callable[[], Coroutine[Any, Any, None]],
    count: int,
    running: set[asyncio.Task[None]] | None = None,
) -> bool:
    """Run `work` in `count` tasks at the same time, and wait for their end.

    Args:
        work: makes the coroutine of a task.
        count: how many tasks.
        running: holds the tasks until they end, so that the caller can cancel them.

    Returns:
        Whether no task was cancelled: `asyncio.TaskGroup` takes a cancelled one for a finished one.

    Raises:
        Exception: the first one that `work` raises.

    """
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                task = group.create_task(work())
                tasks.append(task)
                if running is not None:
                    running.add(task)
                    task.add_done_callback(running.discard)
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
    else:
        return not any(task.cancelled() for task in tasks)
    try:
        raise first
    finally:
        # Else the error holds this frame, and the frame the error.
        del first, tasks


async def for_each(
    items: Iterable[_T], work: Callable[[_T], Coroutine[Any, Any, None]], *, most: int
) -> None:
    """Await `work` for each item, in up to `most` tasks.

    Raises:
        RuntimeError: other code cancelled a part of it.
        Exception: the first one that `work` raises.

    """
    todo = deque(items)

    async def take() -> None:
        while todo:
            await work(todo.popleft())

    if todo and not await run_in_tasks(take, min(len(todo), most)):
        raise cancelled_by_others()
