"""A real NATS server, and a sandbox of the service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.nats_options import NatsOptions, close

from .nats_server import NatsServer


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
