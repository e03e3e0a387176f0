"""Only the owner of a journal can read it and the files beside it."""

import os
from pathlib import Path

import pytest

from restream_async._journal.journal import Journal
from restream_async._journal.private_files import create_private, make_private
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import content, copy_of, files_of, mode, write
from tests.helpers.journal_opening import keep, refusal


async def test_other_users_cannot_read_a_journal_or_the_files_beside_it(path: Path) -> None:
    before = os.umask(0)
    try:
        async with Journal(path, IDENTITY) as journal:
            await journal.begin(journal.fingerprint("a"))
            assert [mode(file) for file in files_of(path)] == [0o600, 0o600]
    finally:
        os.umask(before)


def test_no_moment_is_left_in_which_others_can_open_a_new_journal(path: Path) -> None:
    before = os.umask(0)
    try:
        create_private(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o600


@pytest.mark.parametrize(
    ("lax", "tight"), [(0o604, 0o600), (0o640, 0o600), (0o777, 0o700), (0o700, 0o700)], ids=oct
)
def test_others_lose_every_right_and_the_owner_none(path: Path, lax: int, tight: int) -> None:
    write(path, b"")
    path.chmod(lax)
    make_private(path)
    assert mode(path) == tight


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


async def test_a_folder_is_no_journal_and_stays_open_to_others(folder: Path) -> None:
    os.chmod(folder, 0o755)  # noqa: S103, PTH101 - as most folders are
    assert await refusal(folder) == f"{folder} is no file: name another journal"
    assert mode(folder) == 0o755


async def test_a_pipe_is_no_journal_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o644)
    assert await refusal(path) == f"{path} is no file: name another journal"
    assert mode(path) == 0o644
