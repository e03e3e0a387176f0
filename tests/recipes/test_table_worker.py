"""The recipe for a table: consumers are killed, and nothing is lost or doubled."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.recipe_workers import LEASE, RecipeWorkers, assert_each_exists_once
from tests.helpers.worker_fleet import BAD
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
