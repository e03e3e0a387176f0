"""Fixtures of tests that use a whole client: a clock, and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers import leak_checks
from tests.helpers.fast_clock import FastClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel answers nobody any more."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@pytest.fixture(autouse=True, scope="package")
def _cheap_collection() -> None:  # pyright: ignore[reportUnusedFunction] - autouse
    """Let the garbage collector look only at what the tests themselves leave behind."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
async def _nothing_left(  # pyright: ignore[reportUnusedFunction] - autouse
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    """After each test: no task, no connection in use, nothing that the loop complains about."""
    complaints: list[dict[str, Any]] = []
    leak_checks.watch_connectors(monkeypatch)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    await leak_checks.settle()
    # What was never awaited, retrieved or closed says so when it is collected.
    gc.collect()
    assert leak_checks.tasks_at_work() == set()
    assert leak_checks.connections_in_use() == 0
    assert complaints == []
