"""Write-ahead prefetch: how far, how much at once, and no wait for what will not come."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from restream_async import NewRestream
from restream_async._bulk.run import BulkRun
from restream_async._journal.database import Batch, Database
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from tests.helpers.in_memory_service import IDENTITY, Backend, in_memory_client, new
from tests.helpers.journal_disk import states
from tests.helpers.polling import until

LIMIT = 8
AHEAD = 4 * LIMIT


class Input:
    """An input that counts what was read of it."""

    def __init__(self, number: int) -> None:
        self.read = 0
        self._number = number

    def __iter__(self) -> Iterator[NewRestream]:
        for index in range(self._number):
            self.read += 1
            yield new(str(index))


async def settled(value: Input) -> int:
    """Return how much was read when no more is."""
    before = -1
    while before != value.read:
        before = value.read
        await asyncio.sleep(0.05)
    return before


async def test_the_input_is_read_ahead_of_a_service_that_does_not_answer_but_only_so_far(
    path: Path,
) -> None:
    backend, source = Backend(), Input(1000)
    backend.watch = lambda _: backend.arrived.clear()
    async with in_memory_client(backend, limit=LIMIT).run(source=source, journal=path):
        assert await settled(source) == AHEAD
        assert len(backend.sent) == LIMIT
        assert len(states(path)) == AHEAD
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_consumer_that_pauses_holds_up_the_reading_of_what_is_done_already(
    path: Path,
) -> None:
    backend = Backend()
    client = in_memory_client(backend, limit=LIMIT)
    async with client.run(source=Input(1000), journal=path) as run:
        await run.report()
    source = Input(1000)
    async with client.run(source=source, journal=path) as run:
        await anext(run)
        assert await settled(source) < 200
        assert len([1 async for _ in run]) == 999
    assert source.read == 1000


async def test_a_stopped_run_ends_although_its_consumer_takes_nothing(path: Path) -> None:
    client = in_memory_client(Backend(), limit=LIMIT)
    async with client.run(source=Input(1000), journal=path) as run:
        await run.report()
    before = asyncio.all_tasks()
    source = Input(1000)
    async with client.run(source=source, journal=path) as run:
        assert await settled(source) < 1000
        run.stop()
        await until(lambda: asyncio.all_tasks() == before, 2)
        indexes = [outcome.index async for outcome in run]
    assert sorted(indexes) == list(range(source.read))


async def test_an_input_that_pauses_does_not_hold_up_its_items(path: Path) -> None:
    pause = asyncio.Event()

    async def slow() -> AsyncIterator[NewRestream]:
        yield new("0")
        yield new("1")
        await pause.wait()
        yield new("2")

    client = in_memory_client(Backend())
    run = BulkRun(
        client.executor, client.api, client.creator, slow(), journal=Journal(path, IDENTITY)
    )
    async with asyncio.timeout(5), run:
        assert {(await anext(run)).index, (await anext(run)).index} == {0, 1}
        pause.set()
        assert (await anext(run)).index == 2


async def test_slots_that_others_hold_are_waited_for(path: Path) -> None:
    backend = Backend()
    client = in_memory_client(backend, limit=2)
    limiter = client.executor.limiter
    assert limiter.try_acquire()
    assert limiter.try_acquire()
    async with asyncio.timeout(5), client.run(new("0"), new("1"), journal=path) as run:
        report = asyncio.create_task(run.report())
        await asyncio.sleep(0.1)
        assert len(states(path)) == 2
        assert backend.sent == []
        limiter.release()
        limiter.release()
        assert len((await report).created) == 2


async def test_many_intents_are_written_in_one_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    commit = Database.commit

    def counted(store: Database, batch: Batch) -> object:
        sizes.extend(len(fingerprints) for fingerprints, *_ in batch.begins)
        return commit(store, batch)

    monkeypatch.setattr(Database, "commit", counted)
    async with in_memory_client(Backend(), limit=LIMIT).run(
        source=Input(1000), journal=path
    ) as run:
        await run.report()
    assert sum(sizes) == 1000
    assert min(sizes[:-1]) >= AHEAD // 2


async def test_an_end_that_no_task_waits_for_is_durable_soon(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        fingerprint = journal.fingerprint("a")
        await journal.begin(fingerprint)
        journal.end(fingerprint, 0, State.CREATED, restream_id=5)
        assert states(path) == [(0, "intended")]
        limit = time.monotonic() + 5
        while states(path) != [(0, "created")]:
            assert time.monotonic() < limit, "it never reached the disk"
            await asyncio.sleep(0.01)


async def test_an_end_that_comes_while_others_are_written_is_written_too(path: Path) -> None:
    async with Journal(path, IDENTITY) as journal:
        fingerprint = journal.fingerprint("a")
        await journal.begin(fingerprint)
        other = asyncio.create_task(journal.begin(journal.fingerprint("b")))
        await asyncio.sleep(0)
        journal.end(fingerprint, 0, State.CREATED, restream_id=5)
        await other
    assert states(path) == [(0, "created"), (0, "intended")]
