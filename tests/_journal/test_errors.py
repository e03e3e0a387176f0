"""Disks that are full and files that may not be written: real ones, no simulation."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from restream_async._journal.entries import State
from restream_async._journal.errors import explained
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers import killed_processes
from tests.helpers.forked_processes import Other
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import content, damage, mode, query, write
from tests.helpers.journal_opening import keep, refusal

FORBIDDEN = (
    "the journal {} cannot be written: check its permissions, and those of its folder".format
)
UNOPENED = "the journal {} cannot be opened ({}): check its folder and its permissions".format


@pytest.fixture
def public() -> Iterator[Path]:
    """Give a folder that everybody can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 256 kB that is nearly full."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("mounting is not permitted")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


@pytest.fixture
def read_only(tiny: Path) -> Path:
    """Give a journal on a disk that can only be read."""
    path = tiny / "run.db"
    asyncio.run(_begin(path, "a"))
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)  # noqa: S603, S607
    return path


def fill(folder: Path, size: int) -> Path:
    filler = folder / "filler"
    filler.write_bytes(bytes(size))
    return filler


def journal_in(folder: Path, *, file_mode: int, folder_mode: int) -> Path:
    """Make a journal that belongs to whoever the stranger is."""
    folder.mkdir()
    path = folder / "run.db"
    asyncio.run(_begin(path, "a"))
    if os.getuid() == 0:
        os.chown(path, killed_processes.NOBODY, killed_processes.NOBODY)
    path.chmod(file_mode)
    folder.chmod(folder_mode)
    return path


async def _begin(path: Path, *items: str) -> None:
    async with Journal(path, IDENTITY) as journal:
        for item in items:
            await journal.begin(journal.fingerprint(item))


def told(*paths: Path) -> list[str]:
    """Let somebody who is not root open journals; return what came of it."""
    stranger = Other.start(killed_processes.strangers, paths)
    try:
        return stranger.words()
    finally:
        stranger.end()


def test_a_journal_that_may_not_be_written_is_refused_and_stays_as_it_was(public: Path) -> None:
    read_only = journal_in(public / "file", file_mode=0o444, folder_mode=0o777)
    fixed = journal_in(public / "folder", file_mode=0o600, folder_mode=0o555)
    missing = public / "folder" / "new.db"
    assert told(read_only, fixed, missing) == [
        FORBIDDEN(read_only),
        FORBIDDEN(fixed),
        UNOPENED(missing, "Permission denied"),
    ]
    assert mode(read_only) == 0o444
    assert not missing.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="needs two users")
def test_a_journal_of_another_user_is_refused(public: Path) -> None:
    private = journal_in(public / "private", file_mode=0o600, folder_mode=0o777)
    shared = journal_in(public / "shared", file_mode=0o666, folder_mode=0o777)
    for path in (private, shared):
        os.chown(path, 0, 0)
    assert told(private, shared) == [
        FORBIDDEN(private),
        UNOPENED(shared, "Operation not permitted"),
    ]


async def test_a_disk_that_is_read_only_is_reported(read_only: Path) -> None:
    with pytest.raises(JournalError) as caught:
        await Journal(read_only, IDENTITY).__aenter__()
    assert str(caught.value) == FORBIDDEN(read_only)


async def test_a_journal_beside_which_nothing_can_be_written_is_reported(path: Path) -> None:
    await _begin(path, "a")
    os.mkdir(f"{path}-wal")  # noqa: PTH102 - not in the event loop's way
    with pytest.raises(JournalError) as caught:
        await Journal(path, IDENTITY).__aenter__()
    assert str(caught.value) == FORBIDDEN(path)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (sqlite3.SQLITE_BUSY, "is in use by another run"),
        (sqlite3.SQLITE_LOCKED, "is in use by another run"),
        (sqlite3.SQLITE_READONLY, "cannot be written"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "cannot be written"),
        (sqlite3.SQLITE_PERM, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be written"),
        (sqlite3.SQLITE_FULL, "is on a disk that is full"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_ERROR, "is damaged"),
        (sqlite3.SQLITE_IOERR, "cannot be used any more"),
    ],
)
def test_each_error_of_sqlite_has_its_sentence(path: Path, code: int, problem: str) -> None:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    with pytest.raises(JournalError) as caught, explained(path):
        raise error
    assert str(caught.value).startswith(f"the journal {path} {problem}")
    assert caught.value.__cause__ is None


async def test_a_full_disk_is_reported_and_all_that_was_begun_is_there_when_there_is_room(
    tiny: Path,
) -> None:
    path = tiny / "run.db"
    filler = fill(tiny, 100_000)
    begun, told = await begin_for_ever(path)
    assert told == (
        f"the journal {path} is on a disk that is full: make room and run again, nothing is lost"
    )
    filler.unlink()
    async with Journal(path, IDENTITY) as journal:
        assert begun
        assert await journal.count(State.INTENDED) == begun


async def test_a_disk_that_is_full_from_the_beginning_is_reported(tiny: Path) -> None:
    fill(tiny, 256 * 1024 - 4096)
    with pytest.raises(JournalError, match="on a disk that is full: make room and run again"):
        await Journal(tiny / "run.db", IDENTITY).__aenter__()


async def test_a_quota_is_reported_and_all_that_was_begun_is_there_without_it(path: Path) -> None:
    with quota(100_000):
        begun, told = await begin_for_ever(path)
    assert told.startswith(f"the journal {path} cannot be used any more (")
    assert told.endswith("): run again to resume, nothing is lost")
    async with Journal(path, IDENTITY) as journal:
        assert begun
        assert await journal.count(State.INTENDED) == begun


@contextmanager
def quota(size: int) -> Generator[None]:
    """Let no file of this process grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def begin_for_ever(path: Path) -> tuple[int, str]:
    """Begin creations until that fails; return how many were begun, and what was said."""
    begun = 0
    try:
        async with Journal(path, IDENTITY) as journal:
            while True:
                await journal.begin(journal.fingerprint(str(begun)))
                begun += 1
    except JournalError as error:
        return begun, str(error)


WAY_OUT = "is damaged: move it away and run again with ensure=True, which checks whether each"


MANY = 600


PAGE = 4096  # bytes, in a file of SQLite


async def test_a_database_of_another_program_is_refused_and_left_as_it_was(path: Path) -> None:
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


async def test_a_journal_with_garbage_in_its_middle_fails_when_the_garbage_is_read(
    path: Path,
) -> None:
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
async def test_an_impossible_entry_is_damage(path: Path, change: str) -> None:
    await keep(path)
    query(path, change)
    async with Journal(path, IDENTITY) as journal:
        assert WAY_OUT in await _met(journal, "0")


@pytest.mark.parametrize("salt", [b"\xa5" * 65, 5, "text"])
async def test_an_impossible_key_is_damage(path: Path, salt: object) -> None:
    await keep(path)
    query(path, "UPDATE meta SET value = ? WHERE name = 'salt'", salt)
    assert WAY_OUT in await refusal(path)


async def test_a_folder_that_is_missing_is_named(folder: Path) -> None:
    path = folder / "missing" / "run.db"
    assert await refusal(path) == (
        f"the journal {path} cannot be opened (No such file or directory): check its folder and "
        "its permissions"
    )
