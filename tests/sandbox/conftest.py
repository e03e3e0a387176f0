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
    """Whatever clients do, neither aiohttp nor asyncio has a reason to complain."""
    yield
    complaints = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.WARNING
    ]
    assert complaints == []
