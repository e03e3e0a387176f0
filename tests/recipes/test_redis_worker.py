"""The recipe for Redis: consumers and the server are killed, and nothing is lost or doubled."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_asyncio
from redis import exceptions
from redis.asyncio import Redis

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.handling.test_message_handler import FakeClient
from tests.helpers import brokers
from tests.helpers.polling import until
from tests.helpers.recipe_workers import (
    COUNT,
    LEASE,
    RecipeWorkers,
    SlowClient,
    assert_each_exists_once,
    failing_once,
    handler,
)
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes import redis_worker
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


@pytest_asyncio.fixture
async def redis(broker: brokers.Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A client as the recipe has it, with short leases."""
    monkeypatch.setattr(redis_worker, "LEASE", 0.3)
    client: Any = Redis.from_url(broker.url, decode_responses=True)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    async with client as redis:
        yield redis
        await redis.flushall()


@asynccontextmanager
async def slot(
    redis: Any, client: FakeClient, delay: float = 0.01
) -> AsyncGenerator[asyncio.Task[None]]:
    """Run a slot of the recipe in this process, and stop it at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(redis_worker.slot(redis, handler(client, stop, delay), stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait([task])


async def test_a_message_that_fails_for_now_is_tried_again_by_its_consumer(redis: Any) -> None:
    await redis.xadd(STREAM, {"json": encode(wanted(1))})
    client = failing_once()

    async with slot(redis, client):
        await until(lambda: len(client.calls) == 2)

    assert client.calls == ["recent check, v1", "fresh check, v1"]
    assert not await redis.xlen(STREAM)


async def test_no_other_consumer_gets_a_message_while_its_consumer_works(redis: Any) -> None:
    await redis.xadd(STREAM, {"json": encode(wanted(1))})
    client = SlowClient(seconds=3 * redis_worker.LEASE)

    async with slot(redis, client):
        await client.begun.wait()
        while not client.calls:
            assert not await redis.xpending_range(STREAM, redis_worker.GROUP, "-", "+", 1, idle=300)
            await asyncio.sleep(0.02)


async def test_the_message_of_a_lost_consumer_is_a_later_delivery(redis: Any) -> None:
    await redis.xadd(STREAM, {"json": encode(wanted(1))})
    client = SlowClient(seconds=60)
    async with slot(redis, client) as task:
        await client.begun.wait()
        task.cancel()

    another = FakeClient()
    async with slot(redis, another):
        await until(lambda: another.calls)

    assert another.calls == ["fresh check, v1"]


async def test_a_worker_that_starts_before_redis_waits_for_it(
    broker: brokers.Broker, redis: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    client = FakeClient()
    broker.kill()
    async with slot(redis, client):
        await until(lambda: "Redis does not answer" in capsys.readouterr().out)
        await asyncio.to_thread(broker.start)
        await redis.xadd(STREAM, {"json": encode(wanted(1))})
        await until(lambda: client.calls)


async def test_work_is_cancelled_before_its_lease_ends_if_redis_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_worker, "LEASE", 0.3)

    class Silent:
        async def xclaim(self, *_: object, **__: object) -> None:
            await asyncio.Event().wait()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await redis_worker.extend(Silent(), "1-0")

    assert time.monotonic() - began < 2 * 0.3
