from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True)
async def _no_complaints(  # pyright: ignore[reportUnusedFunction] - autouse
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[None]:
    """Check that neither aiohttp nor asyncio logs a warning."""
    yield
    complaints = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
    ]
    assert complaints == []
