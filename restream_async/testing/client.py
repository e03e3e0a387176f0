"""Clients of a sandbox, whose retries never wait."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator
from typing import Any, Final

from restream_async._operations.draining import CallsInProgress, Run
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async.client import RestreamClient
from restream_async.errors import Call
from restream_async.sandbox import Sandbox
from restream_async.testing.clock import instant_clock
from restream_async.testing.memory import MemorySandbox, MemoryTransport

# Seconds to close a client on an event loop of another thread.
_CLOSE_SECONDS: Final = 10.0


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


class SandboxClient(RestreamClient):
    """A client of a sandbox, which can be closed from outside its event loop."""

    def __init__(self, sandbox: Sandbox | MemorySandbox, **options: Any) -> None:  # noqa: ANN401 - those of every client
        """Take the address, the project and the key from the sandbox, unless `options` has them."""
        clock = instant_clock()
        if isinstance(sandbox, MemorySandbox):
            clock = sandbox.clock
            self._transport_type = functools.partial(MemoryTransport, sandbox)
        settings: dict[str, Any] = {
            "base_url": sandbox.base_url,
            "project_id": sandbox.project_id,
            "api_key": sandbox.api_key,
            "clock": clock,
        }
        super().__init__(**{**settings, **options})
        self._calls_in_progress = self._tracker = _LoopTracker(self._executor, self)

    def close_on_its_loop(self) -> None:
        """Close the client, unless it was never used or its loop has closed already."""
        self._tracker.close_client()


def sandbox_client(sandbox: Sandbox | MemorySandbox, **options: Any) -> RestreamClient:  # noqa: ANN401 - those of every client
    """Return a client of a sandbox whose retries never wait.

    Close it as every client, or use the fixture `restream_client`.

    Args:
        sandbox: the sandbox.
        options: those of `RestreamClient`. Its `clock` is an `instant_clock` by default.

    Raises:
        ConfigurationError: an option cannot be used.

    """
    return SandboxClient(sandbox, **options)
