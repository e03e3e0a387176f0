"""Only one run at a time has a journal, in this process or any other."""

import asyncio
import signal
from pathlib import Path

import pytest

from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from restream_async.sandbox import Sandbox
from tests.helpers import killed_processes
from tests.helpers.forked_processes import other, words_of
from tests.helpers.in_memory_service import IDENTITY, new
from tests.helpers.journal_clients import late_commit_client


def in_use(path: Path) -> str:
    return f"the journal {path} is in use by another run: wait for its end, or name another journal"


async def test_a_second_process_is_refused_even_after_a_second_run_in_this_one(path: Path) -> None:
    async with Journal(path, IDENTITY):
        with pytest.raises(JournalError) as caught:
            await Journal(path, IDENTITY).__aenter__()
        assert str(caught.value) == in_use(path)
        assert await words_of(killed_processes.opens, path) == [in_use(path)]
    assert await words_of(killed_processes.opens, path) == ["opened"]


async def test_a_journal_is_free_as_soon_as_the_process_that_had_it_is_killed(path: Path) -> None:
    async with other(killed_processes.keeps, path) as process:
        assert await asyncio.to_thread(process.word) == "opened"
        with pytest.raises(JournalError) as caught:
            await Journal(path, IDENTITY).__aenter__()
        assert str(caught.value) == in_use(path)
    async with Journal(path, IDENTITY):
        pass


async def test_a_second_run_with_the_journal_of_a_first_sends_nothing(path: Path) -> None:
    async with (
        Sandbox() as sandbox,
        late_commit_client(sandbox) as one,
        late_commit_client(sandbox) as two,
    ):
        async with one.create_many([new("a")], journal=path) as run:
            with pytest.raises(JournalError, match="in use by another run"):
                await two.create_all([new("b")], journal=path)
            assert (await run.report()).counts.created == 1
        assert sandbox.counts.posts == 1


async def test_what_was_begun_is_on_the_disk_when_the_process_is_killed_in_the_next_moment(
    path: Path,
) -> None:
    async with other(killed_processes.kills_itself, path) as process:
        assert await asyncio.to_thread(process.words) == ["begun"] * 3
        assert process.process.exitcode == -signal.SIGKILL
    async with Journal(path, IDENTITY) as journal:
        assert await journal.count(State.INTENDED) == 3
