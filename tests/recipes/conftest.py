"""A sandbox of the service that fails one creation in eight."""

from collections.abc import AsyncIterator

import pytest_asyncio

from restream_async.sandbox import Sandbox
from tests.helpers.recipe_workers import FAULTS, LATENCY, LIST_LATENCY


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        latency=LATENCY, list_latency=LIST_LATENCY, faults=FAULTS, seed=1
    ) as sandbox:
        yield sandbox
