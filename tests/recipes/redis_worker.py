"""Creates restreams that others put on a Redis stream, each exactly once.

Run it as often as you like. SIGTERM or Ctrl-C stops it within 10 seconds. It needs
`pip install redis`, and a server with `appendonly yes`.
"""

import asyncio
import os
import signal
import uuid
from contextlib import suppress
from typing import Any

from redis import exceptions
from redis.asyncio import Redis

from restream_async import RestreamClient
from restream_async.handling import MessageHandler
from restream_async.handling.reports import Source, reports, summary

STREAM, DEAD, OUTCOMES = "restreams.commands", "restreams.dead", "restreams.outcomes"
GROUP, ME = "workers", uuid.uuid4().hex
KEPT = 100_000  # outcomes and dead letters
SLOTS = 16  # messages at the same time
GRACE = 5.0  # seconds for the messages in progress when the worker stops
LEASE = float(os.environ.get("LEASE_SECONDS", "30"))  # after it others may claim a message


async def receive(redis: Any) -> tuple[str, dict[str, str], int] | None:
    """Return a message that a lost consumer has left, or a new one: id, fields, delivery."""
    idle = int(LEASE * 1000)
    for left in await redis.xpending_range(STREAM, GROUP, "-", "+", SLOTS, idle=idle):
        # Only one consumer gets it, because the claim makes it busy again.
        for entry, fields in await redis.xclaim(STREAM, GROUP, ME, idle, [left["message_id"]]):
            return entry, fields, left["times_delivered"] + 1
    for _, entries in await redis.xreadgroup(GROUP, ME, {STREAM: ">"}, count=1, block=1000):
        for entry, fields in entries:
            return entry, fields, 1
    return None


async def extend(redis: Any, entry: str) -> None:
    """Keep a message from other consumers. Raise `TimeoutError` before the lease ends."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LEASE * 5 / 6
    while True:
        async with asyncio.timeout_at(ends):
            await asyncio.sleep(LEASE / 3)
            ends = loop.time() + LEASE * 5 / 6
            await redis.xclaim(STREAM, GROUP, ME, 0, [entry], justid=True)


async def work(
    redis: Any, handler: MessageHandler, stop: asyncio.Event, entry: str, data: str, delivery: int
) -> None:
    """Handle one message. If this raises or returns early, another consumer claims it."""
    while True:
        handled = await handler.handle(data.encode(), delivery)
        if handled.verdict != "retry":
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), handled.delay)
        if stop.is_set():
            return
        delivery += 1

    async with redis.pipeline(transaction=True) as together:
        source = Source(stream=STREAM, sequence=entry, delivery=delivery)
        for report in reports(handled, source):
            together.xadd(OUTCOMES, {"json": report.body}, maxlen=KEPT)
        if handled.dead:
            reasons = "; ".join(each.reason for each in handled.dead)
            together.xadd(DEAD, {"json": data, "reasons": reasons}, maxlen=KEPT)
        together.xack(STREAM, GROUP, entry)
        together.xdel(STREAM, entry)
        await together.execute()
    print(summary(handled), flush=True)


async def slot(redis: Any, handler: MessageHandler, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            with suppress(exceptions.ResponseError):  # it exists
                await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            while not stop.is_set():
                if message := await receive(redis):
                    entry, fields, delivery = message
                    async with asyncio.TaskGroup() as tasks:
                        extending = tasks.create_task(extend(redis, entry))
                        await work(redis, handler, stop, entry, fields["json"], delivery)
                        extending.cancel()
        except* (exceptions.ConnectionError, exceptions.TimeoutError, TimeoutError):
            print("Redis does not answer", flush=True)
            await asyncio.sleep(1)


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis: Any = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    async with redis, RestreamClient() as client:
        handler = MessageHandler(client, stopping=stop.is_set)
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as slots:
                for _ in range(SLOTS):
                    slots.create_task(slot(redis, handler, stop))
                await stop.wait()
                limit.reschedule(asyncio.get_running_loop().time() + GRACE)


if __name__ == "__main__":
    asyncio.run(main())
