from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from restream_async.sandbox import Sandbox
from tests.helpers.client_fixtures import (
    _cheap_collection,  # pyright: ignore[reportPrivateUsage] - autouse
    _nothing_left,  # pyright: ignore[reportPrivateUsage] - autouse
)
from tests.helpers.recorded_telemetry import RecordedTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["_cheap_collection", "_nothing_left"]


@pytest.fixture
def recorded() -> Iterator[RecordedTelemetry]:
    recorded = RecordedTelemetry()
    yield recorded
    recorded.close()


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox
