"""What must be left behind after any failure: nothing."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from restream_async import RestreamClient, RetryPolicy
from restream_async._util.clock import Clock
from tests.helpers.fast_clock import FastClock
from tests.helpers.raw_server import TASK_NAME
from tests.helpers.samples import API_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import pytest

    from restream_async.sandbox import Sandbox
    from tests.helpers.raw_server import RawServer

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


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.002)


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
async def client_of(
    server: RawServer | Sandbox,
    *,
    clock: FastClock | Clock | None = None,
    attempts: int = 5,
    deadline: float = 120.0,
    **settings: Any,  # noqa: ANN401 - of a client
) -> AsyncGenerator[RestreamClient]:
    """Open a client of `server` whose back-off takes no time, and see that it leaves nothing."""
    given: dict[str, Any] = {
        "base_url": server.base_url,
        "project_id": getattr(server, "project_id", "p1"),
        "api_key": getattr(server, "api_key", API_KEY),
        "retry": RetryPolicy(attempts=attempts, deadline=deadline),
        "clock": clock if isinstance(clock, Clock) else (clock or FastClock()).as_clock(),
        "timeout": 5.0,
        **settings,
    }
    async with RestreamClient(**given) as client:
        yield client
        await assert_nothing_left(client)
    tasks = tasks_at_work()
    assert not tasks, tasks
