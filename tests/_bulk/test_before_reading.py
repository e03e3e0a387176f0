"""What is made ready when a run has its journal, and has not read anything yet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from restream_async import JournalError, NewRestream
from restream_async._journal.entries import Identity
from restream_async._journal.journal import Journal
from restream_async.sandbox import Sandbox
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_clients import late_commit_client

NEW = NewRestream(
    video_id="v1", title="T", stream_url="rtmp://h.example/a", stream_key="key-1", status=True
)


async def test_a_text_for_the_journal_as_a_whole_is_kept(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        assert journal.meta("outputs") is None
        await journal.set_meta("outputs", "one")
        await journal.set_meta("outputs", "two")
        assert journal.meta("outputs") == "two"
    async with Journal(path, IDENTITY) as journal:
        assert journal.meta("outputs") == "two"


@pytest.mark.parametrize("journaled", [True, False])
async def test_it_happens_after_the_lock_and_before_the_first_item(
    path: Path, *, journaled: bool
) -> None:
    happened: list[str] = []

    def requests() -> Iterator[NewRestream]:
        happened.append("read")
        yield NEW

    async def get_ready(journal: Journal | None) -> None:
        # Even if it takes its time.
        await asyncio.sleep(0.01)
        assert (journal is not None) is journaled
        if journaled:
            with pytest.raises(JournalError, match="in use by another run"):
                await Journal(path, identity).__aenter__()
        happened.append("ready")

    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        identity = Identity(
            base_url=sandbox.base_url, project_id=sandbox.project_id, api_key=sandbox.api_key
        )
        run = client.create_many(requests(), journal=path if journaled else None)
        run.before_reading = get_ready
        async with run:
            assert len([each async for each in run]) == 1
    assert happened == ["ready", "read"]


async def test_what_it_raises_ends_the_run_and_lets_go_of_the_journal(path: Path) -> None:
    async def fail(_: Journal | None) -> None:
        raise ZeroDivisionError

    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        run = client.create_many([NEW], journal=path)
        run.before_reading = fail
        with pytest.raises(ZeroDivisionError):
            await run.__aenter__()
        assert sandbox.counts.posts == 0
        async with client.create_many([NEW], journal=path) as another:
            assert len([each async for each in another]) == 1
