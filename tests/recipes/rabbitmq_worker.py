"""Creates restreams that others put on a RabbitMQ queue, each exactly once.

Run it as often as you like. SIGTERM or Ctrl-C stops it within 10 seconds. It needs
`pip install aio-pika`.
"""

import asyncio
import os
import signal
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractChannel as Channel
from aio_pika.abc import AbstractIncomingMessage as Message
from aio_pika.abc import AbstractQueue, FieldValue

from restream_async import RestreamClient
from restream_async.handling import Handled, MessageHandler
from restream_async.handling.reports import Source, reports, summary

# aiormq cancels calls that wait for an answer on a lost connection.
LOST = (*aio_pika.exceptions.CONNECTION_EXCEPTIONS, asyncio.CancelledError)
PERSISTENT = aio_pika.DeliveryMode.PERSISTENT
QUEUE, DEAD, OUTCOMES = "restreams", "restreams.dead", "restreams.outcomes"
SLOTS = 16  # messages at the same time
GRACE = 5.0  # seconds to connect, and for the messages in progress when the worker stops
SETTLE = float(os.environ.get("SETTLE_SECONDS", "30"))


async def work(
    message: Message, channel: Channel, handler: MessageHandler, stop: asyncio.Event
) -> None:
    """Handle one message. If this raises or returns early, the queue keeps the message."""
    again = bool(message.redelivered)
    count = message.headers.get("x-delivery-count")
    delivery = count + 1 if isinstance(count, int) else 1
    if again:
        # RabbitMQ delivers the messages of a lost consumer at once, while the service may still
        # work on its requests. An existence check must not come before their effect.
        await pause(stop, SETTLE)
    while True:
        handled = await handler.handle(message.body, delivery, check_first=again)
        if handled.verdict != "retry":
            break
        # The message rests here, because RabbitMQ would deliver it again without a delay.
        await pause(stop, handled.delay or 0)
        if stop.is_set():
            return
        delivery, again = delivery + 1, True
    await publish(channel, message, handled, delivery)
    await message.ack()


async def publish(channel: Channel, message: Message, handled: Handled, delivery: int) -> None:
    """Publish outcomes and a dead letter, and return when the broker has confirmed them."""
    source = Source(stream=QUEUE, delivery=delivery, message_id=message.message_id)
    for report in reports(handled, source):
        # Nothing happens if there is no queue of this name.
        outcome = aio_pika.Message(report.body, delivery_mode=PERSISTENT)
        await channel.default_exchange.publish(outcome, OUTCOMES, mandatory=False)
    if handled.dead:
        letter = aio_pika.Message(message.body, delivery_mode=PERSISTENT)
        letter.headers["reasons"] = "; ".join(each.reason for each in handled.dead)[:2000]
        await channel.default_exchange.publish(letter, DEAD)
    print(summary(handled), flush=True)


async def declare(channel: Channel) -> AbstractQueue:
    """Declare the queues, which are on several nodes of a cluster. A producer does it too."""
    quorum: dict[str, FieldValue] = {"x-queue-type": "quorum"}
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
    await channel.declare_queue(DEAD, durable=True, arguments=quorum)
    return await channel.declare_queue(QUEUE, durable=True, arguments={**quorum, **dead})


async def consume(url: str, handler: MessageHandler, stop: asyncio.Event) -> None:
    """Work until `stop` is set. If the connection is lost, cancel all work and raise."""
    async with await aio_pika.connect(url, heartbeat=10, timeout=GRACE) as connection:
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE) as limit, asyncio.TaskGroup() as tasks:
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.set_qos(prefetch_count=SLOTS)
                queue = await declare(channel)

                async def begin(message: Message) -> None:
                    tasks.create_task(work(message, channel, handler, stop))

                watching = tasks.create_task(raise_when_closed(channel))
                tag = await queue.consume(begin)
                limit.reschedule(None)
                await stop.wait()
                limit.reschedule(asyncio.get_running_loop().time() + GRACE)
                await queue.cancel(tag)
                watching.cancel()


async def raise_when_closed(channel: Channel) -> None:
    await channel.closed()
    raise ConnectionError("the connection to RabbitMQ is lost")


async def pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with RestreamClient() as client:
        handler = MessageHandler(client, stopping=stop.is_set)
        while not stop.is_set():
            try:
                await consume(os.environ["RABBITMQ_URL"], handler, stop)
            except* LOST as error:
                print("connecting again, after:", type(error.exceptions[0]).__name__, flush=True)
                await pause(stop, 1.0)


if __name__ == "__main__":
    asyncio.run(main())
