"""Waiting for something that can only be asked for."""

import asyncio
from collections.abc import Callable


async def until(
    condition: Callable[[], object], seconds: float = 20, *, pause: float = 0.01
) -> None:
    """Wait until a condition holds. Raises `TimeoutError` after some seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(pause)
