"""Builds of SQLite differ: a journal works with what there is, or says what is missing."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from restream_async._journal.entries import Entry, State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY

MANY = 700
NEEDED = 8  # variables of one row


def limit_variables(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let SQLite take so many variables in a statement; before its version 3.32 it was 999."""
    connect: Any = sqlite3.connect

    def limited(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - handed on
        database: sqlite3.Connection = connect(*args, **options)
        database.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, most)
        return database

    monkeypatch.setattr(sqlite3, "connect", limited)


async def begun(path: Path) -> list[Entry]:
    """Begin many creations in one commit, and end all of them in the next."""
    async with Journal(path, IDENTITY) as journal:
        known = [journal.fingerprint(str(item)) for item in range(MANY)]
        entries = await journal.begin(*known)
        for item, fingerprint in enumerate(known):
            journal.end(fingerprint, 0, State.CREATED, restream_id=item, title="a", status=True)
        await journal.flush()
        assert await journal.count(State.CREATED) == MANY
    return entries


@pytest.mark.parametrize("most", [NEEDED, 250, 999, 32_766])
async def test_a_build_that_takes_few_variables_keeps_a_journal_and_reads_one(
    most: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_variables(monkeypatch, most)
    assert {entry.state for entry in await begun(path)} == {None}
    assert [entry.restream_id for entry in await begun(path)] == [*range(MANY)]


async def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as caught:
        await Journal(path, IDENTITY).__aenter__()
    return str(caught.value)


WAY_OUT = "use another build of Python, or run without a journal"


async def test_a_build_that_takes_too_few_is_named_and_the_journal_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(path)
    limit_variables(monkeypatch, NEEDED - 1)
    assert await refusal(path) == (
        f"SQLite {sqlite3.sqlite_version} of this Python cannot keep a journal (it takes only 7 "
        f"variables in a statement): {WAY_OUT}"
    )


async def test_a_build_without_json_is_named_and_the_journal_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(path)
    monkeypatch.setattr("restream_async._journal.database._NEEDED", "SELECT json_group_arrays(1)")
    assert await refusal(path) == (
        f"SQLite {sqlite3.sqlite_version} of this Python cannot keep a journal (no such function: "
        f"json_group_arrays): {WAY_OUT}"
    )


async def test_a_title_that_no_database_can_hold_is_no_damage(path: Path) -> None:
    """The service may send half a surrogate pair."""
    async with Journal(path, IDENTITY) as journal:
        known = journal.fingerprint("a")
        journal.end(known, 0, State.CREATED, restream_id="\ud800", title="ü\ud800", status=True)
        await journal.flush()
    async with Journal(path, IDENTITY) as journal:
        [entry] = await journal.begin(known)
    assert (entry.restream_id, entry.title) == ("\ud800", "ü?")
