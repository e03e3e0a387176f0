"""The recipe for Redis: consumers and the server are killed, and nothing is lost or doubled."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_asyncio
from redis import exceptions
from redis.asyncio import Redis

from restream_async.sandbox import Sandbox
from tests.helpers import brokers
from tests.helpers.recipe_workers import COUNT, LEASE, RecipeWorkers, assert_each_exists_once
from tests.helpers.worker_fleet import BAD
from tests.recipes.redis_worker import DEAD, OUTCOMES, STREAM


@attrs.define
class Stream:
    broker: brokers.Broker
    redis: Any

    async def wait_for_consumers(self, count: int) -> None:
        """Consumers take what was there before them."""

    async def put(self, bodies: Iterable[bytes]) -> None:
        for body in bodies:
            await self.redis.xadd(STREAM, {"json": body})

    async def restart(self) -> None:
        self.broker.kill()
        await asyncio.to_thread(self.broker.start)
        with suppress(exceptions.ConnectionError):
            # The connection was lost; the next command opens another one.
            await self.redis.ping()

    async def is_done(self) -> bool:
        return not await self.redis.xlen(STREAM)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.Broker]:
    with brokers.redis(tmp_path_factory.mktemp("redis")) as broker:
        yield broker


@pytest_asyncio.fixture
async def stream(broker: brokers.Broker) -> AsyncIterator[Stream]:
    client: Any = Redis.from_url(broker.url)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    async with client as redis:
        yield Stream(broker, redis)
        await redis.flushall()


async def test_after_kills_of_consumers_and_of_the_server_each_restream_exists_once(
    stream: Stream, sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {"REDIS_URL": stream.broker.url, "LEASE_SECONDS": str(LEASE)}
    async with RecipeWorkers("redis_worker.py", tmp_path, sandbox, settings) as workers:
        await workers.work(stream)

    assert_each_exists_once(sandbox, workers.log)
    outcomes = [json.loads(fields[b"json"]) for _, fields in await stream.redis.xrange(OUTCOMES)]
    assert len({each.get("id") for each in outcomes}) == COUNT + 1, "each has an outcome"
    letters = [fields for _, fields in await stream.redis.xrange(DEAD)]
    assert {fields[b"json"] for fields in letters} == set(BAD)
    assert "SECRET" not in str([*outcomes, *(fields[b"reasons"] for fields in letters)])
