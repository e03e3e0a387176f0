"""A journal can be read without changing it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest

from restream_async._journal.entries import Identity, State
from restream_async._journal.journal import Journal
from restream_async._journal.reading import JournalReader
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import content, copy_of, damage, files_of, query, write
from tests.helpers.journal_opening import keep
from tests.helpers.journal_opening import refusal as run_refusal


async def fill(path: Path) -> None:
    """Keep a creation in each state, and a second one of the first."""
    async with Journal(path, IDENTITY) as journal:
        for state in State:
            journal.end(journal.fingerprint(state.value), 0, state, restream_id=1)
        journal.end(journal.fingerprint(State.CREATED.value), 1, State.INTENDED)


def states_in(path: Path) -> dict[str, list[State]]:
    """Return the states of what `fill` has kept."""
    with JournalReader(path, IDENTITY) as reader:
        noted = [each for digit in "0123456789abcdef" for each in reader.states(digit)]
        return {
            state.value: [
                found
                for fingerprint, found in noted
                if fingerprint == reader.fingerprint(state.value)
            ]
            for state in State
        }


def refusal(path: Path, identity: Identity = IDENTITY) -> str:
    with pytest.raises(JournalError) as caught, JournalReader(path, identity):
        pass
    return str(caught.value)


def seen(path: Path) -> dict[Path, tuple[bytes, int]]:
    return {file: (content(file), file.stat().st_mtime_ns) for file in files_of(path)}


EXPECTED = {
    state.value: [state, State.INTENDED] if state is State.CREATED else [state] for state in State
}


@pytest.mark.parametrize("name", ["run.db", "50%, what? #1.db"])
async def test_a_reader_finds_what_runs_have_noted_and_changes_nothing(
    folder: Path, name: str
) -> None:
    path = folder / name
    await fill(path)
    before = seen(path)

    assert states_in(path) == EXPECTED
    assert seen(path) == before


async def test_it_reads_what_a_killed_run_has_left_and_changes_nothing(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        await journal.begin(journal.fingerprint(State.CREATED.value))
        left = copy_of(path)
    before = seen(left)
    assert len(before) == 2, "the database and its log"

    assert states_in(left)["created"] == [State.INTENDED]
    assert seen(left) == before


async def test_it_begins_no_run(path: Path) -> None:
    await keep(path)
    number = query(path, "SELECT value FROM meta WHERE name = 'run'")
    states_in(path)
    assert query(path, "SELECT value FROM meta WHERE name = 'run'") == number


@contextmanager
def held(path: Path, lines: str) -> Generator[None]:
    """Run lines in another process while the block runs; locks are between processes."""
    program = "\n".join([*IMPORTS, lines])
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate()
    assert process.returncode == 0


IMPORTS = (
    "import asyncio, sys",
    "from pathlib import Path",
    "from restream_async._journal.journal import Journal",
    "from restream_async._journal.reading import JournalReader",
    "from tests.helpers.in_memory_service import IDENTITY",
    "path = Path(sys.argv[1])",
)
AS_A_RUN = """
async def main():
    async with Journal(path, IDENTITY):
        print("ready", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""
AS_A_READER = """
with JournalReader(path, IDENTITY) as reader:
    print("ready", flush=True)
    sys.stdin.read()
    assert len(reader.states("")) == 1
"""


def test_a_journal_in_use_is_refused(path: Path) -> None:
    with held(path, AS_A_RUN):
        assert refusal(path).startswith(f"the journal {path} is in use by another run: wait for")


@pytest.mark.parametrize("killed", [False, True])
async def test_no_run_can_use_it_meanwhile(path: Path, *, killed: bool) -> None:
    async with Journal(path, IDENTITY) as journal:
        await journal.begin(journal.fingerprint("a"))
        left = copy_of(path)
    read = left if killed else path
    with held(read, AS_A_READER):
        assert "is in use by another run" in await run_refusal(read)
    async with Journal(read, IDENTITY):
        """Afterwards a run can."""


async def test_a_system_without_locks_can_read_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with JournalReader(path, IDENTITY) as reader:
        assert len(reader.states("")) == 1


@pytest.mark.parametrize(
    ("field", "value"), [("base_url", "https://other.example"), ("project_id", "p2")]
)
async def test_a_journal_of_others_is_refused(path: Path, field: str, value: str) -> None:
    await keep(path)
    told = refusal(path, attrs.evolve(IDENTITY, **{field: value}))
    assert f"belongs to {field} {getattr(IDENTITY, field)!r}, not to {value!r}" in told


async def test_a_journal_of_another_key_is_refused(path: Path) -> None:
    await keep(path)
    told = refusal(path, attrs.evolve(IDENTITY, api_key="another-key"))
    assert told.startswith(f"{path} was begun with another API key, which its fingerprints need: ")


async def test_a_journal_of_others_in_which_all_failed_counts_as_empty(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        journal.end(journal.fingerprint("a"), 0, State.FAILED)
    with JournalReader(path, attrs.evolve(IDENTITY, api_key="another-key")) as reader:
        assert reader.states("") == []
        assert len(reader.fingerprint("a")) == 32
    assert query(path, "SELECT count(*) FROM creation") == [(1,)]


async def test_an_empty_file_has_nothing(path: Path) -> None:
    write(path, b"")
    with JournalReader(path, IDENTITY) as reader:
        assert reader.states("") == []
    assert content(path) == b""


async def test_what_is_no_journal_is_refused(path: Path, folder: Path) -> None:
    write(path, b"videoId,title\n" * 100)
    assert refusal(path) == f"{path} is not a journal: name another journal"
    assert refusal(folder) == f"{folder} is no file: name another journal"
    other = folder / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE t (a)")
    assert "is an SQLite file, but no journal" in refusal(other)


async def test_a_journal_that_cannot_be_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(path)

    # The superuser can read everything.
    def denied(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", denied)
    assert refusal(path) == f"the journal {path} cannot be read: check its permissions"


async def test_damage_is_said(path: Path) -> None:
    await keep(path, 2000)
    damage(path, start=8192)
    with (
        pytest.raises(JournalError, match="is damaged: move it away"),
        JournalReader(path, IDENTITY) as reader,
    ):
        reader.states("")


async def test_states_that_no_run_writes_are_damage(path: Path) -> None:
    await keep(path)
    query(path, "UPDATE creation SET state = 'unheard-of'")
    with JournalReader(path, IDENTITY) as reader, pytest.raises(JournalError, match="is damaged"):
        reader.states("")
