"""Pytest fixtures for the tests of code that uses this library.

Import them in a `conftest.py`:

    from restream_async.testing import restream_client, restream_sandbox

`restream_client` is a client of a fresh sandbox, and its retries never wait. `restream_sandbox` is
that sandbox: it shows what was stored, and fails as its `faults` say.

The sandbox runs in a thread of its own, so it answers synchronous tests and tests on any event
loop. The client belongs to the event loop that uses it first, as every client does; the fixture
closes it there.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import pytest

from restream_async._operations.draining import CallsInProgress, Run
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._util.clock import Clock
from restream_async.client import RestreamClient
from restream_async.errors import Call
from restream_async.sandbox import Sandbox

__all__ = ["instant_clock", "restream_client", "restream_sandbox"]

# Seconds to close a client on an event loop of another thread.
_CLOSE_SECONDS: Final = 10.0


def instant_clock(seed: int = 0) -> Clock:
    """Return a clock whose sleeps return at once and advance it, with seeded random numbers."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        # Other tasks run meanwhile, as in a real sleep.
        await asyncio.sleep(0)

    generator = random.Random(seed)  # noqa: S311 - jitter, not a secret
    return Clock(
        now=lambda: now,
        cpu_time=lambda: 0.0,
        wall_clock=lambda: now,
        sleep=sleep,
        random=generator.random,
    )


class _LoopTracker(CallsInProgress):
    """Notes which event loop a client uses, and closes the client before that loop closes."""

    def __init__(self, executor: RequestExecutor, client: RestreamClient) -> None:
        super().__init__(executor)
        self._client = client
        self._used_in: asyncio.AbstractEventLoop | None = None
        self._closing: AsyncGenerator[None] = self._close_with_loop()

    def __enter__(self) -> Deadline:
        self._note_loop()
        return super().__enter__()

    def add(self, run: Run, call: Call) -> None:
        self._note_loop()
        super().add(run, call)

    def close_client(self) -> None:
        """Close the client, unless it was never used or its loop has closed already."""
        if self._used_in is None or self._used_in.is_closed():
            return
        close = self._closing.aclose()
        if self._used_in.is_running():
            asyncio.run_coroutine_threadsafe(close, self._used_in).result(_CLOSE_SECONDS)
        else:
            self._used_in.run_until_complete(close)

    def _note_loop(self) -> None:
        if self._used_in is None:
            self._used_in = asyncio.get_running_loop()
            # Run it up to its `yield`; it awaits nothing before.
            with contextlib.suppress(StopIteration):
                self._closing.__anext__().send(None)

    async def _close_with_loop(self) -> AsyncGenerator[None]:
        # Asynchronous generators are closed before the event loop that started them.
        try:
            yield
        finally:
            await self._client.close()


class _Client(RestreamClient):
    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of every client
        super().__init__(**options)
        self._calls_in_progress = self._tracker = _LoopTracker(self._executor, self)

    def close_on_its_loop(self) -> None:
        self._tracker.close_client()


@pytest.fixture
def restream_sandbox() -> Iterator[Sandbox]:
    """Give a fresh sandbox without faults; set its `faults` to make it fail."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def restream_client(restream_sandbox: Sandbox) -> Iterator[RestreamClient]:
    """Give a client of the sandbox whose retries never wait."""
    client = _Client(
        base_url=restream_sandbox.base_url,
        project_id=restream_sandbox.project_id,
        api_key=restream_sandbox.api_key,
        clock=instant_clock(),
    )
    yield client
    client.close_on_its_loop()
