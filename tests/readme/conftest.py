"""A sandbox of the service."""

from collections.abc import AsyncIterator

import pytest_asyncio

from restream_async.sandbox import Sandbox


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox
