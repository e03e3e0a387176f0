"""A journal belongs to one service, project and API key."""

import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import query
from tests.helpers.journal_opening import keep, refusal


@pytest.mark.parametrize(
    ("field", "value"), [("base_url", "https://other.example"), ("project_id", "p2")]
)
async def test_a_journal_of_another_service_or_project_is_refused(
    path: Path, field: str, value: str
) -> None:
    await keep(path)
    told = await refusal(path, attrs.evolve(IDENTITY, **{field: value}))
    assert f"belongs to {field} {getattr(IDENTITY, field)!r}, not to {value!r}" in told
    assert "name another journal" in told


async def test_a_journal_of_another_api_key_is_refused(path: Path) -> None:
    await keep(path)
    told = await refusal(path, attrs.evolve(IDENTITY, api_key="another-key"))
    assert told == (
        f"{path} was begun with another API key, which its fingerprints need: use that key to "
        "resume it, or name another journal"
    )


@pytest.mark.parametrize("field", ["base_url", "project_id", "api_key"])
@pytest.mark.parametrize("failed", [0, 3])
async def test_a_journal_in_which_all_failed_is_anybodys(
    path: Path, field: str, failed: int
) -> None:
    async with Journal(path, IDENTITY) as journal:
        await journal.set_meta("outputs", "[]")
        first = journal.fingerprint("0")
        for item in range(failed):
            journal.end(journal.fingerprint(str(item)), 0, State.FAILED)
    other = attrs.evolve(IDENTITY, **{field: "https://other.example"})
    async with Journal(path, other) as journal:
        assert journal.fingerprint("0") != first
        assert await journal.count(State.FAILED) == 0
        assert journal.meta("outputs") == "[]"
        journal.end(journal.fingerprint("0"), 0, State.CREATED, restream_id=1)
    assert "name another" in await refusal(path)
    async with Journal(path, other) as journal:
        (entry,) = await journal.begin(journal.fingerprint("0"))
        assert entry.state is State.CREATED


@pytest.mark.parametrize("state", [*State])
async def test_a_journal_binds_while_it_knows_of_anything_else_than_failures(
    path: Path, state: State
) -> None:
    async with Journal(path, IDENTITY) as journal:
        journal.end("a", 0, State.FAILED)
        journal.end("b", 0, state)
    other = attrs.evolve(IDENTITY, project_id="p2")
    if state is State.FAILED:
        async with Journal(path, other):
            return
    assert "belongs to project_id" in await refusal(path, other)


async def test_a_refused_journal_is_as_good_as_before(path: Path) -> None:
    await keep(path)
    await refusal(path, attrs.evolve(IDENTITY, project_id="p2"))
    async with Journal(path, IDENTITY) as journal:
        assert await journal.count(State.CREATED) == 1


async def test_a_journal_of_another_format_is_left_to_its_version(path: Path) -> None:
    await keep(path)
    query(path, "UPDATE meta SET value = 'restream-async journal 3' WHERE name = 'format'")
    told = await refusal(path)
    assert "another version of restream-async" in told
    assert "finish its run with that one, or name a new journal" in told


# As versions of this format have written it; with other numbers it could not be resumed.
KEPT = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES
    ('format', 'restream-async journal 2'), ('base_url', 'https://service.example'),
    ('project_id', 'p1'), ('salt', x'000102030405060708090a0b0c0d0e0f'),
    ('check', x'fd17e3612b181a6ff92b51ccb8648e9f'), ('run', 1);
CREATE TABLE creation (
    fingerprint TEXT NOT NULL, occurrence INTEGER NOT NULL, run INTEGER NOT NULL,
    state TEXT NOT NULL, restream_id TEXT, absent_before INTEGER, title TEXT, status INTEGER,
    PRIMARY KEY (fingerprint, occurrence)
) WITHOUT ROWID;
INSERT INTO creation VALUES
    ('49925be8a261801e854c5ff419142df8', 0, 1, 'created', '7', NULL, 'title', 1);
"""


async def test_a_journal_that_an_earlier_version_has_written_is_resumed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(KEPT)
    async with Journal(path, IDENTITY) as journal:
        [entry] = await journal.begin(journal.fingerprint("v1", "rtmp://a", "key"))
    assert (entry.state, entry.restream_id) == (State.CREATED, 7)
