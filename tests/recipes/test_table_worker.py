"""The recipe for a table: consumers are killed, and nothing is lost or doubled."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.helpers.recipe_workers import (
    LEASE,
    RecipeWorkers,
    SlowClient,
    assert_each_exists_once,
    failing_once,
    handler,
)
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes import table_worker
from tests.recipes.table_worker import TABLE


@attrs.define
class Table:
    path: Path
    rows: sqlite3.Connection

    async def wait_for_consumers(self, count: int) -> None:
        """A table knows no consumers."""

    async def put(self, bodies: Iterable[bytes]) -> None:
        self.rows.executemany(
            "INSERT INTO messages (data) VALUES (?)", [(body,) for body in bodies]
        )

    async def restart(self) -> None:
        """There is no server."""

    async def is_done(self) -> bool:
        return not self.rows.execute("SELECT 1 FROM messages WHERE reasons IS NULL").fetchall()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    path = tmp_path / "queue.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as rows:
        rows.execute(TABLE)
        yield Table(path, rows)


async def test_after_kills_of_consumers_each_restream_exists_once(
    table: Table, sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {"QUEUE_FILE": str(table.path), "HIDDEN_SECONDS": str(LEASE)}
    async with RecipeWorkers("table_worker.py", tmp_path, sandbox, settings) as workers:
        await workers.work(table)

    assert_each_exists_once(sandbox, workers.log)
    left = table.rows.execute("SELECT data, reasons FROM messages ORDER BY id").fetchall()
    assert [data for data, _ in left] == list(BAD)
    assert "SECRET" not in str([reasons for _, reasons in left])


async def test_a_message_that_fails_for_now_is_delivered_again_after_its_delay(
    table: Table,
) -> None:
    await table.put([encode(wanted(1))])
    queue, client = table_worker.Queue(table.rows), failing_once()
    failing = handler(client, asyncio.Event(), delay=60)

    message = queue.take()
    assert message is not None
    await table_worker.work(queue, failing, *message)

    assert queue.take() is None
    queue.hide(1, 1, seconds=-1)
    assert queue.take() == (1, encode(wanted(1)), 2)


async def test_no_other_consumer_gets_a_message_while_its_consumer_works(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_worker, "HIDDEN", 0.3)
    await table.put([encode(wanted(1))])
    queue, client = table_worker.Queue(table.rows), SlowClient(seconds=1)
    message = queue.take()
    assert message is not None

    working = asyncio.create_task(
        table_worker.work(queue, handler(client, asyncio.Event()), *message)
    )
    while not working.done():
        assert queue.take() is None
        await asyncio.sleep(0.02)

    await working
    assert await table.is_done()


async def test_a_consumer_whose_message_another_one_has_leaves_it_alone(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_worker, "HIDDEN", 0.0)
    await table.put([encode(wanted(1))])
    queue = table_worker.Queue(table.rows)
    queue.take()
    queue.take()

    with pytest.raises(TimeoutError):
        queue.hide(1, 1, 0)
    queue.remove(1, 1)
    queue.bury(1, 1, "no")

    assert not await table.is_done()
