"""For the tests of code that uses this library: a service in miniature, and back-off in no time.

In a `conftest.py`:

    from restream_async.testing import restream_client, restream_sandbox

and then a test takes `restream_client`, a client of a fresh sandbox whose retries never wait, or
`restream_sandbox`, to ask what was stored or to let it fail.

Needs pytest and pytest-asyncio.
"""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest_asyncio

from restream_async.client import RestreamClient
from restream_async.sandbox import Sandbox
from restream_async.timing import Timing

__all__ = ["instant_timing", "restream_client", "restream_sandbox"]


def instant_timing(seed: int = 0) -> Timing:
    """Return a timing whose sleeps take no time but move its clock, and whose chance is seeded."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        # Others get their turn, as in a real sleep.
        await asyncio.sleep(0)

    chance = random.Random(seed)  # noqa: S311 - jitter, not a secret
    return Timing(
        now=lambda: now,
        computing=lambda: 0.0,
        wall_clock=lambda: now,
        sleep=sleep,
        random=chance.random,
    )


@pytest_asyncio.fixture
async def restream_sandbox() -> AsyncIterator[Sandbox]:
    """Give a fresh sandbox without faults; set its `faults` to let it fail."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def restream_client(restream_sandbox: Sandbox) -> AsyncIterator[RestreamClient]:
    """Give a client of the sandbox whose retries never wait."""
    async with RestreamClient(
        base_url=restream_sandbox.base_url,
        project_id=restream_sandbox.project_id,
        api_key=restream_sandbox.api_key,
        timing=instant_timing(),
    ) as client:
        yield client
