"""Private: does the same with several things at the same time."""

from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from restream_async._bulk.parallel import run_in_tasks
from restream_async._util.tasks import cancelled_by_others

_T = TypeVar("_T")


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
