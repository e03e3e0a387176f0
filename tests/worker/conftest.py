"""A real NATS server, and a sandbox of the service."""

import os
import signal
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.nats_connection import NatsOptions, close
from tests.helpers.background_servers import BackgroundServers, background_servers
from tests.helpers.nats_server import NatsServer


@pytest_asyncio.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Client]:
    connection = await NatsOptions(url=nats_server.url).connect()
    yield connection
    await close(connection)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[BackgroundServers]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def leave(_: int) -> None:
        raise AssertionError("this would end the tests, without a word")

    monkeypatch.setattr(os, "_exit", leave)
    with background_servers(tmp_path) as servers:
        monkeypatch.setenv("RESTREAM_BASE_URL", servers.sandbox.base_url)
        monkeypatch.setenv("RESTREAM_PROJECT_ID", servers.sandbox.project_id)
        monkeypatch.setenv("RESTREAM_API_KEY", servers.sandbox.api_key)
        monkeypatch.setenv("RESTREAM_NATS_URL", servers.nats.url)
        monkeypatch.setenv("COLUMNS", "200")
        yield servers
    for number, handler in before.items():
        signal.signal(number, handler)
