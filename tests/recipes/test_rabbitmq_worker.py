"""The recipe for RabbitMQ: consumers and the server are killed, and nothing is lost or doubled."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.helpers.brokers import Broker, rabbitmq
from tests.helpers.recipe_workers import (
    COUNT,
    LEASE,
    RecipeWorkers,
    assert_each_exists_once,
)
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes.rabbitmq_worker import DEAD, OUTCOMES, QUEUE, declare


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


async def put(broker: Broker) -> None:
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        await declare(channel)
        await channel.declare_queue(OUTCOMES, durable=True)
        for body in (*(encode(wanted(number)) for number in range(COUNT)), *BAD):
            message = aio_pika.Message(body, delivery_mode=2)
            await channel.default_exchange.publish(message, QUEUE)


async def take(broker: Broker, name: str) -> list[bytes]:
    """Take all messages of a queue."""
    async with await aio_pika.connect(broker.url) as connection:
        queue = await (await connection.channel()).get_queue(name)
        found: list[bytes] = []
        while message := await queue.get(no_ack=True, fail=False):
            found.append(message.body)
        return found


async def test_after_kills_of_consumers_and_of_the_server_each_restream_exists_once(
    broker: Broker, sandbox: Sandbox, tmp_path: Path
) -> None:
    await put(broker)
    settings = {"RABBITMQ_URL": broker.url, "SETTLE_SECONDS": str(LEASE)}
    workers = RecipeWorkers("rabbitmq_worker.py", tmp_path, sandbox, settings)

    async def restart() -> None:
        broker.kill()
        await asyncio.to_thread(broker.start)

    outcomes: list[dict[str, Any]] = []

    async def ended() -> bool:
        outcomes.extend(map(json.loads, await take(broker, OUTCOMES)))
        created = {each.get("id") for each in outcomes}
        return len(created) == COUNT + 1

    try:
        await workers.work(restart, ended)
    finally:
        await workers.kill()

    assert_each_exists_once(sandbox, workers.log)
    assert await take(broker, QUEUE) == []
    assert set(await take(broker, DEAD)) == set(BAD)
    assert "SECRET" not in str(outcomes)
