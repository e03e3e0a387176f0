"""Somebody cancels tasks that are not theirs, while the journal writes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import CoroutineType, FrameType
from typing import cast

import pytest

from restream_async import Failed, NewRestream, NotSentError
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from tests.helpers.in_memory_service import IDENTITY, Backend, in_memory_client, new
from tests.helpers.journal_clients import collect, origins
from tests.helpers.journal_disk import Barrier, Disk, states


def sweep(*spared: "asyncio.Task[object] | None") -> None:
    """Cancel all tasks of the loop but a few."""
    for task in asyncio.all_tasks() - {asyncio.current_task(), *spared}:
        task.cancel()


def work_of(task: asyncio.Task[object]) -> str | None:
    """Return what a task of a run is to do, also before it begins."""
    coroutine = task.get_coro()
    assert isinstance(coroutine, CoroutineType)
    # The class is annotated as that of one that may have ended.
    frame = cast("FrameType", coroutine.cr_frame)
    return getattr(frame.f_locals.get("work"), "__name__", None)


async def test_what_is_read_ahead_and_on_its_way_to_the_disk_is_accounted_for(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    items = [new(str(number)) for number in range(30)]
    async with asyncio.timeout(5), in_memory_client(backend).run(*items, journal=path) as run:
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


async def test_a_write_of_the_journal_ends_and_no_task_waits_for_ever(
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


@pytest.mark.parametrize("step", [0, 1, 10])
async def test_an_input_that_cancels_the_others_loses_nothing_of_what_it_gave(
    step: int, path: Path
) -> None:
    """No other task of the run has begun its work by then."""
    before = asyncio.all_tasks()

    def source() -> Iterator[NewRestream]:
        for number in range(20):
            if number == step:
                sweep(*before)
            yield new(str(number))

    backend = Backend()
    async with (
        asyncio.timeout(2),
        in_memory_client(backend).run(source=source(), journal=path) as run,
    ):
        outcomes, error = await collect(run)

    assert isinstance(error, RuntimeError)
    assert "cancelled from outside" in str(error)
    assert sorted(outcome.index for outcome in outcomes) == list(range(20))
    assert origins(outcomes) == ["NotSentError"] * 20
    assert backend.sent == []


@pytest.mark.parametrize("work", ["_read_all", "_note_all", "_process_items"])
async def test_any_one_task_that_is_cancelled_before_it_begins_ends_the_run(
    work: str, path: Path
) -> None:
    async with asyncio.timeout(2), in_memory_client(Backend()).run(new(), journal=path) as run:
        [task] = [task for task in asyncio.all_tasks() if work_of(task) == work]
        task.cancel()
        outcomes, error = await collect(run)

    assert isinstance(error, RuntimeError)
    assert "cancelled from outside" in str(error)
    assert len(outcomes) == (work != "_read_all")
