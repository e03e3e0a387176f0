"""A journal that cannot be written any more, in the middle of a run."""

import asyncio
from pathlib import Path

import pytest

from restream_async import Origin, Outcome
from restream_async.errors import JournalError
from restream_async.models import Failed
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.in_memory_service import Backend, in_memory_client, new
from tests.helpers.journal_clients import collect, each_once, late_commit_client, losses, origins
from tests.helpers.journal_disk import Disk, damage, move_away, states

WANTED = [new(str(number), video=f"v{number % 8}") for number in range(600)]
FULL = "the journal {} is on a disk that is full: make room and run again, nothing is lost".format


async def broken(
    sandbox: Sandbox, path: Path, disk: Disk, pages: int = 9
) -> tuple[list[Outcome], Exception | None]:
    disk.pages = pages
    async with (
        late_commit_client(sandbox) as client,
        client.create_many(WANTED, journal=path) as run,
    ):
        outcomes, error = await collect(run)
    disk.pages = None
    return outcomes, error


async def test_the_run_stops_and_its_last_word_is_why(path: Path, disk: Disk) -> None:
    async with Sandbox() as sandbox:
        _, error = await broken(sandbox, path, disk)
        assert isinstance(error, JournalError)
        assert str(error) == FULL(path)
        assert 0 < sandbox.counts.posts < len(WANTED)


async def test_nothing_is_sent_whose_intent_is_not_on_the_disk(path: Path, disk: Disk) -> None:
    async with Sandbox() as sandbox:
        await broken(sandbox, path, disk)
        assert sandbox.counts.posts <= len(states(path))


async def test_all_that_was_read_is_reported_as_it_is(path: Path, disk: Disk) -> None:
    async with Sandbox() as sandbox:
        outcomes, _ = await broken(sandbox, path, disk)
        stored = {item.stream_key for item in sandbox.stored}
    assert sorted(outcome.index for outcome in outcomes) == list(range(len(outcomes)))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert failed
    for outcome in outcomes:
        assert isinstance(outcome, Failed) == (outcome.request.stream_key not in stored)
    assert {str(outcome.error) for outcome in failed} == {FULL(path)}
    assert {outcome.attempts for outcome in failed} == {0}


@pytest.mark.parametrize("pages", [9, 12, 16])
async def test_with_room_again_the_next_run_creates_each_exactly_once(
    path: Path, disk: Disk, pages: int
) -> None:
    faults = Faults(before=losses(0.1), after=losses(0.1), max_faults=3, retry_after=None)
    async with Sandbox(faults=faults, seed=pages) as sandbox:
        await broken(sandbox, path, disk, pages)
        async with late_commit_client(sandbox) as client:
            report = await client.create_all(WANTED, journal=path)
        assert report.failed == ()
        assert each_once(sandbox, WANTED)
        assert Origin.JOURNAL in origins(report.created)


async def test_a_disk_that_is_full_when_a_run_begins_is_reported_before_anything_is_sent(
    path: Path, disk: Disk
) -> None:
    disk.pages = 2
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        with pytest.raises(JournalError) as caught:
            await client.create_all(WANTED, journal=path)
        assert str(caught.value) == FULL(path)
        assert sandbox.counts.posts == 0


async def test_a_journal_that_turns_out_to_be_damaged_in_mid_run_stops_it(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED, journal=path)
        damage(path, start=4 * 4096)
        async with client.create_many([*WANTED, new("more")], journal=path) as run:
            outcomes, error = await collect(run)
        assert sandbox.counts.posts == len(WANTED)
    assert isinstance(error, JournalError)
    assert "is damaged: move it away and run again with ensure=True" in str(error)
    assert len(outcomes) < len(WANTED)


async def test_after_a_damaged_journal_the_way_out_creates_nothing_twice(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        await client.create_all(WANTED[:50], journal=path)
        damage(path, start=16)
        with pytest.raises(JournalError, match="run again with ensure=True"):
            await client.create_all(WANTED[:60], journal=path)
        move_away(path)
        report = await client.create_all(WANTED[:60], journal=path, ensure=True)
        assert each_once(sandbox, WANTED[:60])
    assert (report.counts.existing, report.counts.posted) == (50, 10)


async def test_what_is_in_flight_when_the_journal_breaks_is_seen_to_its_end(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    backend.turns = 50

    def break_it(method: str) -> None:
        if backend.count(method) >= 4:
            disk.failing = "COMMIT"

    backend.watch = break_it
    async with in_memory_client(backend, limit=4).run(*WANTED, journal=path) as run:
        outcomes, error = await collect(run)
    assert isinstance(error, JournalError)
    posted = [item for item in outcomes if not isinstance(item, Failed)]
    assert len(posted) == len(backend.stored) >= 4
    assert asyncio.all_tasks() == {asyncio.current_task()}
