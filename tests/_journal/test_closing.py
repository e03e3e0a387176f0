import asyncio
from pathlib import Path

import pytest

from restream_async._bulk.undo import Undo
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY, Backend, in_memory_client, new
from tests.helpers.journal_disk import Barrier, Disk, states, write
from tests.helpers.journal_fixtures import journal_threads, threads_left


def nothing_is_left() -> bool:
    return threads_left() == [] and asyncio.all_tasks() == {asyncio.current_task()}


async def opens(path: Path) -> bool:
    async with Journal(path, IDENTITY):
        return True


async def cancelled(task: asyncio.Task[object], barrier: Barrier) -> None:
    """Cancel a task while the journal's thread is at a commit, and see the cancellation arrive."""
    await asyncio.to_thread(barrier.reached.wait)
    task.cancel()
    await asyncio.sleep(0)
    barrier.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_closed_journal_leaves_no_thread_and_no_task(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        await journal.begin("a")
        assert journal_threads() != []
    assert nothing_is_left()


async def test_an_error_in_the_block_leaves_no_thread_and_no_task(path: Path) -> None:
    journal = Journal(path, IDENTITY)

    async def fail() -> None:
        async with journal:
            journal.end("a", 0, State.FAILED)
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert nothing_is_left()
    assert states(path) == [(0, "failed")]


async def test_a_journal_that_cannot_be_opened_leaves_no_thread_and_no_task(path: Path) -> None:
    write(path, b"no journal " * 1000)
    with pytest.raises(JournalError):
        await Journal(path, IDENTITY).__aenter__()
    assert nothing_is_left()


async def test_a_journal_that_broke_leaves_no_thread_and_no_task(path: Path, disk: Disk) -> None:
    disk.pages = 4
    async with Journal(path, IDENTITY) as journal:
        with pytest.raises(JournalError):
            await asyncio.gather(*(journal.begin(str(item)) for item in range(2000)))
    assert nothing_is_left()


async def test_a_journal_whose_opening_is_cancelled_can_be_opened_again_at_once(
    path: Path, disk: Disk
) -> None:
    barrier = Barrier(disk)
    await cancelled(asyncio.create_task(Journal(path, IDENTITY).__aenter__()), barrier)
    assert nothing_is_left()
    assert await opens(path)


async def test_closing_writes_what_was_noted_even_if_it_is_cancelled(
    path: Path, disk: Disk
) -> None:
    journal = await Journal(path, IDENTITY).__aenter__()
    barrier = Barrier(disk)
    begin = asyncio.create_task(journal.begin("a"))
    await asyncio.to_thread(barrier.reached.wait)
    journal.end("a", 0, State.CREATED, restream_id=5)
    await cancelled(asyncio.create_task(journal.__aexit__()), barrier)
    await begin
    assert nothing_is_left()
    assert states(path) == [(0, "created")]
    assert await opens(path)


async def test_a_run_left_while_the_journal_writes_leaves_nothing_behind(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    async with in_memory_client(backend).run(new(), journal=path):
        barrier = Barrier(disk)
        await asyncio.to_thread(barrier.reached.wait)
        asyncio.get_running_loop().call_later(0.01, barrier.open.set)
    assert nothing_is_left()
    assert backend.sent == []
    assert states(path) == [(0, "intended")]


async def test_a_run_whose_entering_is_cancelled_can_be_begun_again_at_once(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    barrier = Barrier(disk)
    run = in_memory_client(backend).run(new(), journal=path)
    await cancelled(asyncio.create_task(run.__aenter__()), barrier)
    assert nothing_is_left()
    assert backend.sent == []
    disk.before = lambda _: None
    async with in_memory_client(backend).run(new(), journal=path) as again:
        assert (await again.report()).counts.created == 1


async def test_a_run_cancelled_while_it_closes_has_its_ends_on_the_disk(
    path: Path, disk: Disk
) -> None:
    backend = Backend()

    barrier: asyncio.Future[Barrier] = asyncio.get_running_loop().create_future()

    async def create() -> None:
        async with in_memory_client(backend).run(new(), journal=path) as run:
            await anext(run)
            barrier.set_result(Barrier(disk))

    task = asyncio.create_task(create())
    await cancelled(task, await barrier)
    assert nothing_is_left()
    assert states(path) == [(0, "created")]


@pytest.mark.parametrize("times", [2, 10])
async def test_a_run_cancelled_again_and_again_while_it_is_left_closes_its_journal(
    path: Path, disk: Disk, times: int
) -> None:
    backend = Backend()
    barrier: asyncio.Future[Barrier] = asyncio.get_running_loop().create_future()

    async def create() -> None:
        async with in_memory_client(backend).run(new(), journal=path) as run:
            await anext(run)
            barrier.set_result(Barrier(disk))

    task = asyncio.create_task(create())
    held = await barrier
    await asyncio.to_thread(held.reached.wait)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    held.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == times
    assert nothing_is_left()
    assert states(path) == [(0, "created")]
    assert await opens(path)


async def test_an_opening_that_is_cancelled_twice_closes_it_again(path: Path, disk: Disk) -> None:
    barrier = Barrier(disk)
    task = asyncio.create_task(Journal(path, IDENTITY).__aenter__())
    await asyncio.to_thread(barrier.reached.wait)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    barrier.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_is_left()
    assert await opens(path)


async def test_an_undo_cancelled_twice_while_it_is_left_closes_its_journal(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    client = in_memory_client(backend)
    async with client.run(new(), journal=path) as run:
        await run.report()
    barrier: asyncio.Future[Barrier] = asyncio.get_running_loop().create_future()

    async def undo() -> None:
        journal = Journal(path, IDENTITY)
        async with Undo(client.executor, client.api, journal):
            journal.end("x", 0, State.FAILED)
            barrier.set_result(Barrier(disk))

    task = asyncio.create_task(undo())
    held = await barrier
    await asyncio.to_thread(held.reached.wait)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    held.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_is_left()
    assert await opens(path)
