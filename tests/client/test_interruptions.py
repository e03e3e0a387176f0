"""A real local port that is closed for a moment, or from the very beginning."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import aiohttp
import pytest

from restream_async import OutageError, OutcomeUnknownError, TransportError
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.fast_clock import FastForward
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.polling import until
from tests.helpers.raw_server import TASK_NAME, RawServer, then_close
from tests.helpers.samples import many, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Door:
    """A port in front of a sandbox, which can be closed and opened again."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._behind: SplitResult = urlsplit(sandbox.base_url)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def close_for(self, seconds: float, *, after: float) -> None:
        await asyncio.sleep(after)
        await self.close()
        await asyncio.sleep(seconds)
        await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near = asyncio.current_task()
        assert near is not None
        near.set_name(TASK_NAME)
        further = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        far = asyncio.create_task(self._forward(further[0], writer), name=TASK_NAME)
        await self._forward(reader, further[1])
        await far

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()


@asynccontextmanager
async def door_to(sandbox: Sandbox) -> AsyncGenerator[Door]:
    door = Door(sandbox)
    await door.open()
    try:
        yield door
    finally:
        await door.close()


async def test_a_port_that_is_closed_for_a_second_fails_no_item_of_a_run() -> None:
    async with (
        Sandbox(latency=0.02) as sandbox,
        door_to(sandbox) as door,
        leak_checked_client(
            sandbox, base_url=door.base_url, clock=Clock(), max_in_flight=16, attempts=2
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(door.close_for(0.9, after=0.3))
        report = await client.create_all(many(600))
        report.raise_for_failures()

    assert len(sandbox.stored) == 600
    assert not sandbox.duplicates()


async def test_a_port_that_is_closed_for_a_second_fails_no_single_creation() -> None:
    """And they need not save up for retries of what never arrived."""
    async with (
        Sandbox(latency=0.005) as sandbox,
        door_to(sandbox) as door,
        leak_checked_client(sandbox, base_url=door.base_url, clock=Clock()) as client,
        asyncio.TaskGroup() as group,
    ):
        await door.close()
        creating = [group.create_task(client.create(new)) for new in many(300)]
        await asyncio.sleep(0.8)
        await door.open()
        async with asyncio.timeout(8):
            await asyncio.wait(creating)

    assert len(sandbox.stored) == 300


@pytest.mark.parametrize("count", [1, 10])
async def test_a_closed_port_is_told_within_seconds_and_given_up_after_half_a_minute(
    count: int,
) -> None:
    clock = FastForward(20).as_clock()
    async with (
        Sandbox() as sandbox,
        door_to(sandbox) as door,
        leak_checked_client(sandbox, base_url=door.base_url, clock=clock) as client,
    ):
        await door.close()
        start = clock.now()
        running = asyncio.create_task(client.create_all(many(count)))
        await until(lambda: client.stats().state == "open")
        assert clock.now() - start < 5
        stats = client.stats()
        with pytest.raises(OutageError) as caught:
            await running
        assert clock.now() - start < 30 + 10
        # Its address was right after all, as the next one finds out that asks.
        await door.open()
        await asyncio.sleep(5 / 20)
        (await client.create_all(many(1, first=99))).raise_for_failures()
        over = client.stats()

    assert not stats.reached
    assert stats.last_error.endswith("(Connection refused)")
    assert (over.state, over.reached, over.last_error) == ("closed", True, "")
    assert not caught.value.reached
    assert isinstance(caught.value.last, TransportError)
    assert "check base_url" in str(caught.value)


async def test_a_front_that_accepts_and_closes_was_reached_and_is_waited_for() -> None:
    clock = FastForward(20).as_clock()
    async with (
        RawServer(post=then_close(), get=then_close()) as server,
        leak_checked_client(server, clock=clock, patience=40, max_in_flight=8) as client,
    ):
        start = clock.now()
        report = await client.create_all(many(100))
        assert clock.now() - start > 40
        stats = client.stats()
        # Else the timer of the next probe is left.
        await client.close()

    assert (stats.state, stats.reached) == ("open", True)
    errors = [failed.error for failed in report.failed]
    assert {type(error) for error in errors} == {OutageError, OutcomeUnknownError}
    assert not [error for error in errors if "never reached" in str(error)]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", b""])
async def test_a_proxy_that_does_not_let_it_through_is_no_connection(answer: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near = asyncio.current_task()
        assert near is not None
        near.set_name(TASK_NAME)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    async with (
        proxy,
        aiohttp.ClientSession(proxy=url) as session,
        leak_checked_client(
            RawServer(), base_url="https://api.example.com", session=session, attempts=1
        ) as client,
    ):
        for call in (lambda: client.list("v1"), lambda: client.create(new_restream())):
            with pytest.raises(TransportError) as caught:
                await call()
            assert not caught.value.sent
        assert not client.stats().reached
