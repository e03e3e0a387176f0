import os
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from restream_async._journal.entries import Identity, State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import content, copy_of, damage, files_of, mode, query, write
from tests.helpers.journal_fixtures import threads_left

WAY_OUT = "is damaged: move it away and run again with ensure=True, which checks whether each"
MANY = 600
PAGE = 4096  # bytes, in a file of SQLite


async def keep(path: Path, number: int = 1) -> None:
    async with Journal(path, IDENTITY) as journal:
        for item in range(number):
            journal.end(journal.fingerprint(str(item)), 0, State.CREATED, restream_id=item)


async def refusal(path: Path, identity: Identity = IDENTITY) -> str:
    with pytest.raises(JournalError) as caught:
        await Journal(path, identity).__aenter__()
    assert "During handling" not in "".join(traceback.format_exception(caught.value))
    assert threads_left() == []
    return str(caught.value)


async def test_nobody_else_can_read_a_journal_or_the_files_beside_it(path: Path) -> None:
    before = os.umask(0)
    try:
        async with Journal(path, IDENTITY) as journal:
            await journal.begin(journal.fingerprint("a"))
            assert [mode(file) for file in files_of(path)] == [0o600, 0o600]
    finally:
        os.umask(before)


async def test_a_laxer_mode_is_tightened_also_of_what_a_killed_run_left(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        await journal.begin(journal.fingerprint("a"))
        left = copy_of(path)
    for file in files_of(left):
        write(file, content(file))
    async with Journal(left, IDENTITY):
        assert [mode(file) for file in files_of(left)] == [0o600, 0o600]


async def test_an_empty_file_that_is_there_becomes_a_journal_of_its_owner_alone(path: Path) -> None:
    write(path, b"")
    await keep(path)
    assert mode(path) == 0o600


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


async def test_a_journal_of_another_api_key_is_refused_without_a_word_of_either(path: Path) -> None:
    await keep(path)
    told = await refusal(path, attrs.evolve(IDENTITY, api_key="another-key"))
    assert "was begun with another API key" in told
    assert "use that key to resume it, or name another journal" in told
    assert IDENTITY.api_key not in told
    assert "another-key" not in told


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


async def test_somebody_elses_database_is_refused_and_left_as_it_was(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    before = write(path, content(path))
    assert await refusal(path) == f"{path} is an SQLite file, but no journal: name another journal"
    assert content(path) == before
    assert mode(path) == 0o644


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(path: Path) -> None:
    before = write(path, b"videoId,title,streamUrl,streamKey,status\n" * 50)
    assert await refusal(path) == f"{path} is not a journal: name another journal"
    assert content(path) == before
    assert mode(path) == 0o644


@pytest.mark.parametrize("length", [100, PAGE, PAGE + 904])
async def test_a_journal_that_was_cut_off_is_refused(path: Path, length: int) -> None:
    await keep(path, MANY)
    os.truncate(path, length)
    assert WAY_OUT in await refusal(path)


@pytest.mark.parametrize("where", [16, 100])
async def test_a_journal_with_garbage_at_its_beginning_is_refused(path: Path, where: int) -> None:
    await keep(path, MANY)
    damage(path, start=where, size=64)
    assert WAY_OUT in await refusal(path)


async def test_a_journal_with_garbage_in_its_middle_fails_whoever_meets_it(path: Path) -> None:
    await keep(path, MANY)
    damage(path, start=3 * PAGE)
    async with Journal(path, IDENTITY) as journal:
        met = [await _met(journal, str(item)) for item in range(MANY)]
    assert not any(text for text in met if WAY_OUT not in text)
    assert met[-1]


async def _met(journal: Journal, item: str) -> str:
    try:
        await journal.begin(journal.fingerprint(item))
    except JournalError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE creation SET state = 'creatd'",
        "UPDATE creation SET restream_id = '{'",
        "UPDATE creation SET run = 'one'",
        "UPDATE creation SET state = CAST(x'ff00' AS TEXT)",
        "UPDATE creation SET restream_id = x'ff00'",
    ],
)
async def test_an_entry_that_nobody_can_have_written_is_damage(path: Path, change: str) -> None:
    await keep(path)
    query(path, change)
    async with Journal(path, IDENTITY) as journal:
        assert WAY_OUT in await _met(journal, "0")


@pytest.mark.parametrize("salt", [b"\xa5" * 65, 5, "text"])
async def test_a_key_that_nobody_can_have_written_is_damage(path: Path, salt: object) -> None:
    await keep(path)
    query(path, "UPDATE meta SET value = ? WHERE name = 'salt'", salt)
    assert WAY_OUT in await refusal(path)


async def test_a_folder_that_is_missing_is_named(folder: Path) -> None:
    path = folder / "missing" / "run.db"
    assert await refusal(path) == (
        f"the journal {path} cannot be opened (No such file or directory): check its folder and "
        "its permissions"
    )


async def test_a_folder_is_no_journal_and_stays_open_to_others(folder: Path) -> None:
    os.chmod(folder, 0o755)  # noqa: S103, PTH101 - as most folders are
    assert await refusal(folder) == f"{folder} is no file: name another journal"
    assert mode(folder) == 0o755


async def test_a_pipe_is_no_journal_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o644)
    assert await refusal(path) == f"{path} is no file: name another journal"
    assert mode(path) == 0o644


async def test_a_journal_is_on_the_disk_whatever_it_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    await keep(Path(":memory:"))
    async with Journal(":memory:", IDENTITY) as journal:
        assert await journal.count(State.CREATED) == 1


async def test_a_journal_that_is_not_open_answers_nobody(path: Path) -> None:
    journal = Journal(path, IDENTITY)
    with pytest.raises(RuntimeError, match="the journal is not open"):
        await journal.begin("a")
    assert files_of(path) == []
