"""The recipe for a table: consumers are killed, and nothing is lost or doubled."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from tests.helpers.recipe_workers import COUNT, LEASE, RecipeWorkers, assert_each_exists_once
from tests.helpers.worker_fleet import BAD, wanted
from tests.recipes.table_worker import TABLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def table(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as table:
        table.execute(TABLE)
        yield table


def put(table: sqlite3.Connection, *bodies: bytes) -> None:
    table.executemany("INSERT INTO messages (data) VALUES (?)", [(body,) for body in bodies])


async def test_after_kills_of_consumers_each_restream_exists_once(
    table: sqlite3.Connection, path: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    put(table, *(encode(wanted(number)) for number in range(COUNT)), *BAD)
    settings = {"QUEUE_FILE": str(path), "HIDDEN_SECONDS": str(LEASE)}
    workers = RecipeWorkers("table_worker.py", tmp_path, sandbox, settings)

    async def restart() -> None:
        """There is no server."""

    async def ended() -> bool:
        return not table.execute("SELECT 1 FROM messages WHERE reasons IS NULL").fetchall()

    try:
        await workers.work(restart, ended)
    finally:
        await workers.kill()

    assert_each_exists_once(sandbox, workers.log)
    left = table.execute("SELECT data, reasons FROM messages ORDER BY id").fetchall()
    assert [data for data, _ in left] == list(BAD)
    assert "SECRET" not in str([reasons for _, reasons in left])
