"""The recipe for RabbitMQ: consumers and the server are killed, and nothing is lost or doubled."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import attrs
import pytest
from aio_pika.abc import AbstractChannel

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.handling.test_message_handler import FakeClient
from tests.helpers.brokers import Broker, rabbitmq
from tests.helpers.polling import until
from tests.helpers.recipe_workers import (
    COUNT,
    LEASE,
    RecipeWorkers,
    assert_each_exists_once,
    failing_once,
    handler,
)
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes.rabbitmq_worker import DEAD, OUTCOMES, QUEUE, consume, declare


@attrs.define
class Queue:
    broker: Broker
    outcomes: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])

    @asynccontextmanager
    async def channel(self) -> AsyncGenerator[AbstractChannel]:
        async with await aio_pika.connect(self.broker.url) as connection:
            yield await connection.channel()

    async def wait_for_consumers(self, count: int) -> None:
        async with asyncio.timeout(60), self.channel() as channel:
            await channel.declare_queue(OUTCOMES, durable=True)
            while (await declare(channel)).declaration_result.consumer_count != count:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.05)

    async def put(self, bodies: Iterable[bytes]) -> None:
        async with self.channel() as channel:
            for body in bodies:
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, QUEUE)

    async def take(self, name: str) -> list[bytes]:
        """Take all messages of a queue."""
        async with self.channel() as channel:
            queue = await channel.get_queue(name)
            found: list[bytes] = []
            while message := await queue.get(no_ack=True, fail=False):
                found.append(message.body)
            return found

    async def restart(self) -> None:
        self.broker.kill()
        await asyncio.to_thread(self.broker.start)

    async def is_done(self) -> bool:
        self.outcomes.extend(map(json.loads, await self.take(OUTCOMES)))
        return len({each.get("id") for each in self.outcomes}) == COUNT + 1


@asynccontextmanager
async def consuming(queue: Queue, client: FakeClient, delay: float) -> AsyncGenerator[None]:
    """Run the recipe in this process, and stop it at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(consume(queue.broker.url, handler(client, stop, delay), stop))
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


async def test_after_kills_of_consumers_and_of_the_server_each_restream_exists_once(
    broker: Broker, sandbox: Sandbox, tmp_path: Path
) -> None:
    queue = Queue(broker)
    settings = {"RABBITMQ_URL": broker.url, "SETTLE_SECONDS": str(LEASE)}
    async with RecipeWorkers("rabbitmq_worker.py", tmp_path, sandbox, settings) as workers:
        await workers.work(queue)

    assert_each_exists_once(sandbox, workers.log)
    assert await queue.take(QUEUE) == []
    assert set(await queue.take(DEAD)) == set(BAD)
    assert "SECRET" not in str(queue.outcomes)


async def test_a_message_that_fails_for_now_is_tried_again_by_its_consumer(broker: Broker) -> None:
    queue, client = Queue(broker), failing_once()

    async with consuming(queue, client, delay=0.01):
        await queue.wait_for_consumers(1)
        await queue.put([encode(wanted(1))])
        await until(lambda: len(client.calls) == 2)

    assert client.calls == ["recent check, v1", "fresh check, v1"]
    assert await queue.take(QUEUE) == []


async def test_a_message_that_rests_goes_back_to_the_queue_when_the_consumer_stops(
    broker: Broker,
) -> None:
    queue, client = Queue(broker), failing_once()

    async with asyncio.timeout(5), consuming(queue, client, delay=60):
        await queue.wait_for_consumers(1)
        await queue.put([encode(wanted(1))])
        await until(lambda: client.calls)

    assert await queue.take(QUEUE) == [encode(wanted(1))]


async def test_a_message_of_a_lost_consumer_gets_a_fresh_check(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.recipes.rabbitmq_worker.SETTLE", 0.0)
    queue, client = Queue(broker), FakeClient()
    async with queue.channel() as channel:
        lost = await declare(channel)
        await queue.put([encode(wanted(1))])
        await lost.get()

    async with consuming(queue, client, delay=0.01):
        await until(lambda: client.calls)

    assert client.calls == ["fresh check, v1"]


async def test_a_consumer_stops_in_time_if_the_server_is_silent(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, client = Queue(broker), FakeClient()
    monkeypatch.setattr("tests.recipes.rabbitmq_worker.GRACE", 1.0)

    try:
        async with asyncio.timeout(10), consuming(queue, client, delay=0.01):
            await queue.wait_for_consumers(1)
            broker.send(signal.SIGSTOP)
    finally:
        broker.send(signal.SIGCONT)
