"""What only shows with many items: shared commits, bounded memory, and copies that are wanted."""

import asyncio
import sys
from pathlib import Path

import pytest

from restream_async import JournalError, NewRestream, Origin
from restream_async._bulk.reconciliation import DoubtfulCreation, Reconciliation
from restream_async._bulk.report import BulkReport
from restream_async._journal.database import Batch, Database
from tests.helpers.in_memory_service import Backend, Fate, InMemoryClient, in_memory_client, new
from tests.helpers.journal_clients import origins

MANY = [new(str(number), video=f"v{number % 7}") for number in range(600)]


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the intents of each commit."""
    sizes: list[int] = []
    commit = Database.commit

    def counted(store: Database, batch: Batch) -> object:
        sizes.append(sum(len(fingerprints) for fingerprints, *_ in batch.begins))
        return commit(store, batch)

    monkeypatch.setattr(Database, "commit", counted)
    return sizes


async def report(
    client: InMemoryClient, *wanted: NewRestream, journal: Path | None = None, **options: object
) -> BulkReport:
    async with client.run(*wanted, journal=journal, **options) as run:  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        return await run.report()


async def test_creations_share_commits(path: Path, commits: list[int]) -> None:
    client = in_memory_client(Backend(), limit=16)
    run = await report(client, *MANY, journal=path)
    assert run.counts.posted == len(MANY)
    assert sum(commits) == len(MANY)
    assert max(commits) > 16
    assert len(commits) < len(MANY) / 4


async def test_resuming_what_is_done_shares_commits_and_sends_nothing(
    path: Path, commits: list[int]
) -> None:
    backend = Backend()
    await report(in_memory_client(backend, limit=16), *MANY, journal=path)
    backend.sent.clear()
    commits.clear()
    run = await report(in_memory_client(backend, limit=16), *MANY, journal=path)
    assert run.counts.from_journal == len(MANY)
    assert backend.sent == []
    assert len(commits) < len(MANY) / 10


async def test_doubts_are_checked_on_the_way_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._bulk.reconciliation.MOST_REMEMBERED", 20)
    backend = Backend()
    backend.choose = lambda request: (
        Fate.LATE
        if request.method == "POST"
        and request.new
        and not backend.ids_of(request.new)
        and sum(each.new is request.new and each.method == "POST" for each in backend.sent) == 1
        else Fate.DONE
    )
    most = 0
    remember = Reconciliation.remember

    def watched(self: Reconciliation, case: DoubtfulCreation) -> None:
        nonlocal most
        remember(self, case)
        remembered = sum(map(len, self._by_video.values()))  # pyright: ignore[reportPrivateUsage]
        most = max(most, remembered, len(self._reported))  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(Reconciliation, "remember", watched)
    run = await report(in_memory_client(backend), *MANY[:120])
    assert run.counts.posted == run.counts.in_doubt == 120
    assert most <= 21 + 7
    assert run.unchecked == 0


async def test_wanted_copies_are_no_duplicates_and_are_never_repaired_away() -> None:
    backend = Backend()
    backend.meets("POST", Fate.DONE, Fate.LOST_BEFORE)
    run = await report(in_memory_client(backend), new(), new(), repeats="create", repair=True)
    assert origins(run.created) == [Origin.POSTED, Origin.POSTED]
    assert run.duplicates == ()
    assert len(backend.stored) == 2
    assert {item.restream.id for item in run.created} == {item.id for item in backend.stored}


async def test_more_copies_than_attempts_in_doubt_include_copies_of_other_clients() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE)

    def create_more(method: str) -> None:
        if method == "POST" and backend.count("POST") == 2:
            # After ours, another client creates the same restream twice.
            backend.add(new())
            backend.add(new())

    backend.watch_answer = create_more
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [(item.deleted, len(item.extra)) for item in run.duplicates] == [((), 2)]
    assert len(backend.stored) == 3


async def test_a_journal_that_breaks_at_the_very_end_is_not_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Database.commit

    def full_for_ends(store: Database, batch: Batch) -> object:
        if batch.ends:
            raise JournalError("the disk is full")
        return commit(store, batch)

    monkeypatch.setattr(Database, "commit", full_for_ends)
    backend = Backend()
    async with in_memory_client(backend).run(new(), journal=path) as run:
        outcome = await anext(run)
        with pytest.raises(JournalError, match="the disk is full"):
            await anext(run)
    assert outcome.index == 0
    assert len(backend.stored) == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_worker_tasks_that_begin_eagerly_work_as_well() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore] # pyright: ignore[reportAttributeAccessIssue]
    run = await report(in_memory_client(Backend(), limit=300), *MANY)
    assert run.counts.posted == len(MANY)
