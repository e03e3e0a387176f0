"""What must be left behind after any failure: nothing."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.helpers.clients import client_of
from tests.helpers.raw_server import TASK_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import pytest

    from restream_async import RestreamClient
    from tests.helpers.clients import Server

_connectors: weakref.WeakSet[aiohttp.BaseConnector] = weakref.WeakSet()


def watch_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember every pool of connections that is made from now on."""
    _connectors.clear()
    original: Callable[..., None] = aiohttp.BaseConnector.__init__

    def remember(self: aiohttp.BaseConnector, *args: Any, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        original(self, *args, **options)
        _connectors.add(self)

    monkeypatch.setattr(aiohttp.BaseConnector, "__init__", remember)


def connections_in_use() -> int:
    """Return how many connections are handed out by any pool."""
    # There is no public way to ask. A closed pool may keep the mark of a connection that was
    # about to be made.
    return sum(
        handed_out.transport is not None or not connector.closed
        for connector in _connectors
        for handed_out in connector._acquired  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    )


def tasks_at_work() -> set[str]:
    """Return the tasks of this loop that are neither the current one nor a test server's."""
    return {
        repr(task)
        for task in asyncio.all_tasks()
        if task is not asyncio.current_task()
        and task.get_name() != TASK_NAME
        and "RequestHandler.start" not in repr(task.get_coro())
    }


async def settle() -> None:
    """Let what was cancelled come to its end."""
    for _ in range(10):
        await asyncio.sleep(0)


async def assert_nothing_left(client: RestreamClient) -> None:
    """Fail if a call that is over still holds a connection, a place or a task."""
    await settle()
    assert connections_in_use() == 0
    # A timer of an outage belongs to the client, not to the call.
    tasks = {task for task in tasks_at_work() if "Timers.after" not in task}
    assert not tasks, tasks
    stats = client.stats()
    assert (stats.in_flight, stats.waiting) == (0, 0)


@asynccontextmanager
async def leak_checked_client(
    server: Server,
    **options: Any,  # noqa: ANN401 - of `client_of`
) -> AsyncGenerator[RestreamClient]:
    """Open a client of a server, and see that it leaves nothing behind."""
    async with client_of(server, **options) as client:
        yield client
        await assert_nothing_left(client)
    tasks = tasks_at_work()
    assert not tasks, tasks
