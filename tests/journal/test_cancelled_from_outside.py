"""Somebody cancels tasks that are not theirs, while the journal writes."""

import asyncio
from pathlib import Path

from restream_async import Failed, NotSentError
from restream_async.journal import Journal, State
from tests.journal.backend import IDENTITY, Backend, client_of, new
from tests.journal.disk import Barrier, Disk, states
from tests.journal.scene import collect


def sweep(*spared: "asyncio.Task[object] | None") -> None:
    """Cancel all tasks of the loop but a few."""
    for task in asyncio.all_tasks() - {asyncio.current_task(), *spared}:
        task.cancel()


async def test_what_is_read_ahead_and_on_its_way_to_the_disk_is_accounted_for(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    items = [new(str(number)) for number in range(30)]
    async with asyncio.timeout(5), client_of(backend).run(*items, journal=path) as run:
        barrier = Barrier(disk)
        await asyncio.to_thread(barrier.reached.wait)
        sweep()
        barrier.open.set()
        outcomes, error = await collect(run)

    assert isinstance(error, RuntimeError)
    assert "cancelled from outside" in str(error)
    assert sorted(outcome.index for outcome in outcomes) == list(range(30))
    assert all(
        isinstance(item, Failed) and isinstance(item.error, NotSentError) for item in outcomes
    )
    assert backend.sent == []


async def test_a_write_of_the_journal_ends_and_nobody_waits_for_ever(
    path: Path, disk: Disk
) -> None:
    async with Journal(path, IDENTITY) as journal:
        barrier = Barrier(disk)
        begin = asyncio.create_task(journal.begin("a"))
        await asyncio.to_thread(barrier.reached.wait)
        later = asyncio.create_task(journal.begin("b"))
        await asyncio.sleep(0)
        sweep(begin, later)
        journal.end("a", 0, State.CREATED, restream_id=5)
        barrier.open.set()
        await asyncio.wait_for(asyncio.gather(begin, later), 5)
    assert states(path) == [(0, "created"), (0, "intended")]
