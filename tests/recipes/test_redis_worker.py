"""The recipe for Redis: consumers and the server are killed, and nothing is lost or doubled."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis import exceptions
from redis.asyncio import Redis

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.helpers import brokers
from tests.helpers.recipe_workers import COUNT, LEASE, RecipeWorkers, assert_each_exists_once
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes.redis_worker import DEAD, OUTCOMES, STREAM


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.Broker]:
    with brokers.redis(tmp_path_factory.mktemp("redis")) as broker:
        yield broker


@pytest_asyncio.fixture
async def redis(broker: brokers.Broker) -> AsyncIterator[Any]:
    client: Any = Redis.from_url(broker.url)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    async with client as redis:
        yield redis
        await redis.flushall()


async def test_after_kills_of_consumers_and_of_the_server_each_restream_exists_once(
    broker: brokers.Broker, redis: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    for body in (*(encode(wanted(number)) for number in range(COUNT)), *BAD):
        await redis.xadd(STREAM, {"json": body})
    settings = {"REDIS_URL": broker.url, "LEASE_SECONDS": str(LEASE)}
    workers = RecipeWorkers("redis_worker.py", tmp_path, sandbox, settings)

    async def restart() -> None:
        broker.kill()
        await asyncio.to_thread(broker.start)
        with suppress(exceptions.ConnectionError):
            # The connection was lost; the next command opens another one.
            await redis.ping()

    async def ended() -> bool:
        return not await redis.xlen(STREAM)

    try:
        await workers.work(restart, ended)
    finally:
        await workers.kill()

    assert_each_exists_once(sandbox, workers.log)
    outcomes = [json.loads(fields[b"json"]) for _, fields in await redis.xrange(OUTCOMES)]
    assert len({each.get("id") for each in outcomes}) == COUNT + 1
    letters = [fields for _, fields in await redis.xrange(DEAD)]
    assert {fields[b"json"] for fields in letters} == set(BAD)
    assert "SECRET" not in str([*outcomes, *(fields[b"reasons"] for fields in letters)])
