"""Creates restreams that others put into a table, each exactly once: a pattern for any broker.

Taking a message hides it from other consumers for some seconds, as with SQS and its visibility
time-out. Run it as often as you like. SIGTERM or Ctrl-C stops it within 10 seconds.
"""

import asyncio
import os
import signal
import sqlite3
import time
from contextlib import closing, suppress

from restream_async import RestreamClient
from restream_async.handling import MessageHandler
from restream_async.handling.reports import summary

SLOTS = 16  # messages at the same time
GRACE = 5.0  # seconds for the messages in progress when the worker stops
HIDDEN = float(os.environ.get("HIDDEN_SECONDS", "30"))

TABLE = """CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, data BLOB NOT NULL, delivery INTEGER NOT NULL DEFAULT 0,
    hidden_until REAL NOT NULL DEFAULT 0, reasons TEXT)"""
TAKE = """UPDATE messages SET delivery = delivery + 1, hidden_until = :now + :seconds
    WHERE id = (SELECT id FROM messages WHERE hidden_until < :now AND reasons IS NULL LIMIT 1)
    RETURNING id, data, delivery"""
# Each delivery has a number of its own: after another consumer has taken it, nothing changes here.
HIDE = "UPDATE messages SET hidden_until = ? WHERE id = ? AND delivery = ?"
REMOVE = "DELETE FROM messages WHERE id = ? AND delivery = ?"
BURY = "UPDATE messages SET reasons = ? WHERE id = ? AND delivery = ?"


class Queue:
    """What a consumer asks of its broker: take, hide (extend or delay), remove, bury."""

    def __init__(self, table: sqlite3.Connection) -> None:
        self._table = table

    def take(self) -> tuple[int, bytes, int] | None:
        """Hide a message, count its delivery, and return its number, data and delivery."""
        now = {"now": time.time(), "seconds": HIDDEN}
        return next(iter(self._table.execute(TAKE, now).fetchall()), None)

    def hide(self, number: int, delivery: int, seconds: float) -> None:
        """Hide a message for so many seconds from now. Raise if another consumer has it."""
        if not self._table.execute(HIDE, (time.time() + seconds, number, delivery)).rowcount:
            raise TimeoutError

    def remove(self, number: int, delivery: int) -> None:
        self._table.execute(REMOVE, (number, delivery))

    def bury(self, number: int, delivery: int, reasons: str) -> None:
        self._table.execute(BURY, (reasons, number, delivery))


async def work(
    queue: Queue, handler: MessageHandler, number: int, data: bytes, delivery: int
) -> None:
    """Handle one message. If this raises, it is delivered again when its time is over."""
    async with asyncio.TaskGroup() as tasks:
        extending = tasks.create_task(extend(queue, number, delivery))
        handled = await handler.handle(data, delivery)
        extending.cancel()
    if handled.verdict == "retry":
        queue.hide(number, delivery, handled.delay or 0)
    elif handled.verdict == "dead":
        queue.bury(number, delivery, "; ".join(each.reason for each in handled.dead))
    else:
        queue.remove(number, delivery)
    print(summary(handled), flush=True)


async def extend(queue: Queue, number: int, delivery: int) -> None:
    while True:
        await asyncio.sleep(HIDDEN / 3)
        queue.hide(number, delivery, HIDDEN)


async def slot(queue: Queue, handler: MessageHandler, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            if message := queue.take():
                await work(queue, handler, *message)
            else:
                await asyncio.sleep(0.2)
        except* TimeoutError:
            print("another consumer has the message", flush=True)


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    path = os.environ["QUEUE_FILE"]
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as table:
        table.execute("PRAGMA journal_mode = WAL")
        table.execute(TABLE)
        async with RestreamClient() as client:
            queue, handler = Queue(table), MessageHandler(client, stopping=stop.is_set)
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as slots:
                    for _ in range(SLOTS):
                        slots.create_task(slot(queue, handler, stop))
                    await stop.wait()
                    limit.reschedule(asyncio.get_running_loop().time() + GRACE)


if __name__ == "__main__":
    asyncio.run(main())
