import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from restream_async._journal.entries import Entry, State
from restream_async._journal.journal import Journal
from restream_async.errors import JournalError
from tests.helpers.in_memory_service import IDENTITY
from tests.helpers.journal_disk import Barrier, Disk, copy_of, query, states
from tests.helpers.polling import until

MANY = 1203
LINGER = 0.05  # seconds that an end may wait for others before it is written
FULL_SYNCHRONOUS = 2  # SQLite's name for it: every commit is on the disk, not only on its way


def journal_at(path: Path) -> Journal:
    return Journal(path, IDENTITY)


async def begun(journal: Journal, item: str = "a", *, repeat: bool = False) -> Entry:
    return (await journal.begin(journal.fingerprint(item), repeat=repeat))[0]


async def waiting(tasks: int) -> None:
    """Let tasks that were just created come to where they wait."""
    for _ in range(tasks):
        await asyncio.sleep(0)


async def test_a_creation_that_was_never_met_is_new(path: Path) -> None:
    async with journal_at(path) as journal:
        entry = await begun(journal)
    assert entry == Entry(state=None, this_run=False, restream_id=None, occurrence=0)


async def test_a_creation_met_again_in_one_run_is_known_to_be_of_this_run(path: Path) -> None:
    async with journal_at(path) as journal:
        await begun(journal)
        (entry,) = await journal.begin(journal.fingerprint("a"))
    assert (entry.state, entry.this_run, entry.occurrence) == (State.INTENDED, True, 0)


async def test_an_intent_without_an_end_is_an_intent_to_the_next_run(path: Path) -> None:
    async with journal_at(path) as journal:
        await begun(journal)
    async with journal_at(path) as journal:
        entry = await begun(journal)
    assert (entry.state, entry.this_run) == (State.INTENDED, False)


@pytest.mark.parametrize(
    ("state", "absent_before"),
    [(State.CREATED, None), (State.CREATED, True), (State.FOUND, None), (State.FOUND, False)],
)
@pytest.mark.parametrize("identifier", [7, "7", -1, 10**30, "", "Ω\0\n\"'\ud800", "null"])
@pytest.mark.parametrize("status", [None, False, True])
async def test_the_next_run_gets_the_end_exactly_as_it_was_noted(
    path: Path,
    *,
    state: State,
    identifier: int | str,
    absent_before: bool | None,
    status: bool | None,
) -> None:
    async with journal_at(path) as journal:
        await begun(journal)
        journal.end(
            journal.fingerprint("a"),
            0,
            state,
            restream_id=identifier,
            absent_before=absent_before,
            title="title",
            status=status,
        )
    for _ in range(2):
        async with journal_at(path) as journal:
            entry = await begun(journal)
            assert entry == Entry(
                state=state,
                this_run=False,
                restream_id=identifier,
                occurrence=0,
                absent_before=absent_before,
                title="title",
                status=status,
            )
            assert type(entry.restream_id) is type(identifier)


@pytest.mark.parametrize("state", [State.FAILED, State.UNDONE])
async def test_what_is_not_there_is_begun_anew_and_is_an_intent_again(
    path: Path, state: State
) -> None:
    async with journal_at(path) as journal:
        journal.end(journal.fingerprint("a"), 0, state, restream_id=3)
    async with journal_at(path) as journal:
        assert (await begun(journal)).state is state
        assert await journal.count(State.INTENDED) == 1
        assert await journal.count(state) == 0


async def test_an_end_is_known_to_a_begin_right_after_it(path: Path) -> None:
    async with journal_at(path) as journal:
        first = await begun(journal)
        journal.end(journal.fingerprint("a"), first.occurrence, State.CREATED, restream_id=5)
        entry = await begun(journal)
    assert (entry.state, entry.restream_id, entry.this_run) == (State.CREATED, 5, True)


async def test_repeats_are_creations_of_their_own_and_know_each_other(path: Path) -> None:
    async with journal_at(path) as journal:
        first = await begun(journal, repeat=True)
        journal.end(journal.fingerprint("a"), first.occurrence, State.CREATED, restream_id=5)
        second = await begun(journal, repeat=True)
    assert (second.state, second.occurrence, second.others) == (None, 1, (5,))


async def test_repeats_begun_at_once_get_different_places(path: Path) -> None:
    async with journal_at(path) as journal:
        entries = await asyncio.gather(*(begun(journal, repeat=True) for _ in range(3)))
    assert [entry.occurrence for entry in entries] == [0, 1, 2]


@pytest.mark.parametrize("repeat", [False, True])
async def test_the_next_run_meets_the_repeats_of_the_last_one_by_one(
    path: Path, *, repeat: bool
) -> None:
    async with journal_at(path) as journal:
        for identifier in (5, 6):
            entry = await begun(journal, repeat=True)
            journal.end(
                journal.fingerprint("a"), entry.occurrence, State.CREATED, restream_id=identifier
            )
    async with journal_at(path) as journal:
        entries = [await begun(journal, repeat=repeat) for _ in range(3)]
    assert [(entry.restream_id, entry.this_run) for entry in entries[:2]] == [
        (5, False),
        (6, False),
    ]
    assert [entry.others for entry in entries[:2]] == [(6,), (5,)]
    third = (None, False, 2) if repeat else (State.CREATED, True, 0)
    assert (entries[2].state, entries[2].this_run, entries[2].occurrence) == third


async def test_a_doubt_that_was_checked_is_a_doubt_no_more(path: Path) -> None:
    async with journal_at(path) as journal:
        for item in ("a", "b"):
            journal.end(
                journal.fingerprint(item), 0, State.CREATED, restream_id=5, absent_before=True
            )
        journal.clear_doubt(journal.fingerprint("a"), 0)
    async with journal_at(path) as journal:
        cleared, kept = await begun(journal, "a"), await begun(journal, "b")
    assert (cleared.state, cleared.absent_before) == (State.CREATED, None)
    assert kept.absent_before is True


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 1000, MANY])
async def test_any_number_of_ids_is_returned(path: Path, number: int) -> None:
    async with journal_at(path) as journal:
        for item in range(number):
            fingerprint = journal.fingerprint(str(item // 2))
            journal.end(fingerprint, item % 2, State.CREATED, restream_id=item)
        journal.end(journal.fingerprint("found"), 0, State.FOUND, restream_id=-1)
        await begun(journal, "intended")
        given = await journal.page(State.CREATED, ("", -1))
        while page := await journal.page(State.CREATED, given[-1][:2] if given else ("", -1)):
            given += page
        assert await journal.count(State.CREATED) == number
        expected = {(journal.fingerprint(str(item // 2)), item % 2, item) for item in range(number)}
    assert len(given) == number
    assert set(given) == expected


async def test_fingerprints_do_not_depend_on_the_run_but_on_every_part_of_the_key(
    path: Path, folder: Path
) -> None:
    async with journal_at(path) as journal:
        first = journal.fingerprint("v1", "url", "key")
        others = {
            journal.fingerprint(*key)
            for key in (("v1", "urlk", "ey"), ("v2", "url", "key"), ("v1", "url"), ("key", "v1"))
        }
    async with journal_at(path) as journal:
        assert journal.fingerprint("v1", "url", "key") == first
    async with journal_at(folder / "other.db") as journal:
        assert journal.fingerprint("v1", "url", "key") != first
    assert len(others | {first}) == 5


async def test_many_that_begin_at_once_share_a_few_commits(path: Path, disk: Disk) -> None:
    async with journal_at(path) as journal:
        before = disk.commits
        await asyncio.gather(*(begun(journal, str(item)) for item in range(500)))
        assert disk.commits - before <= 2
        assert await journal.count(State.INTENDED) == 500


async def test_what_gathers_during_a_commit_goes_into_the_next(path: Path, disk: Disk) -> None:
    async with journal_at(path) as journal:
        before = disk.commits
        barrier = Barrier(disk)
        tasks = [asyncio.create_task(begun(journal, "first"))]
        await asyncio.to_thread(barrier.reached.wait)
        for item in range(100):
            tasks.append(asyncio.create_task(begun(journal, str(item))))
            await waiting(1)
        barrier.open.set()
        await asyncio.gather(*tasks)
        assert disk.commits - before == 2


async def test_a_beginning_returns_only_when_it_is_on_the_disk(path: Path, disk: Disk) -> None:
    async with journal_at(path) as journal:
        barrier = Barrier(disk)
        task = asyncio.create_task(begun(journal))
        await asyncio.to_thread(barrier.reached.wait)
        await waiting(3)
        assert not task.done()
        assert states(path) == []
        barrier.open.set()
        await task
        assert states(path) == [(0, "intended")]


async def test_flushing_returns_only_when_all_that_was_noted_is_on_the_disk(path: Path) -> None:
    async with journal_at(path) as journal:
        journal.end(journal.fingerprint("a"), 0, State.CREATED, restream_id=5)
        await journal.flush()
        assert states(path) == [(0, "created")]


async def becomes(path: Path, sql: str, expected: object) -> None:
    """Wait until a query of what is on the disk has a result."""
    await until(lambda: query(copy_of(path), sql) == expected, 5)


async def test_an_end_that_is_noted_during_a_commit_is_on_the_disk_soon(
    path: Path, disk: Disk
) -> None:
    async with journal_at(path) as journal:
        barrier = Barrier(disk)
        task = asyncio.create_task(begun(journal, "other"))
        await asyncio.to_thread(barrier.reached.wait)
        journal.end(journal.fingerprint("a"), 0, State.CREATED, restream_id=5)
        barrier.open.set()
        await task
        sql = "SELECT state FROM creation ORDER BY state"
        await becomes(path, sql, [("created",), ("intended",)])


async def test_a_doubt_that_was_checked_is_cleared_on_the_disk_soon(path: Path) -> None:
    async with journal_at(path) as journal:
        known = journal.fingerprint("a")
        journal.end(known, 0, State.CREATED, restream_id=5, absent_before=True)
        await journal.flush()
        journal.clear_doubt(known, 0)
        await becomes(path, "SELECT absent_before FROM creation", [(None,)])


async def test_a_closed_journal_writes_nothing_more(path: Path) -> None:
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, problem: problems.append(problem))
    async with journal_at(path) as journal:
        journal.end(journal.fingerprint("a"), 0, State.CREATED, restream_id=5)
    await asyncio.sleep(2 * LINGER)
    assert problems == []
    with pytest.raises(RuntimeError, match="the journal is not open"):
        journal.end("a", 0, State.FAILED)


async def test_a_commit_waits_for_the_disk_itself(path: Path, disk: Disk) -> None:
    async with journal_at(path) as journal:
        await begun(journal)
    assert disk.synchronous == FULL_SYNCHRONOUS


async def test_cancelling_one_waiting_task_does_not_disturb_the_others(
    path: Path, disk: Disk
) -> None:
    async with journal_at(path) as journal:
        barrier = Barrier(disk)
        tasks = [asyncio.create_task(begun(journal, item)) for item in "abc"]
        await asyncio.to_thread(barrier.reached.wait)
        tasks[1].cancel()
        barrier.open.set()
        entries = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(entry) for entry in entries] == [Entry, asyncio.CancelledError, Entry]
        assert (await begun(journal, "d")).state is None


async def test_one_cancelled_before_its_commit_may_have_left_an_intent_and_no_more(
    path: Path,
) -> None:
    async with journal_at(path) as journal:
        task = asyncio.create_task(begun(journal))
        await waiting(1)
        task.cancel()
        await asyncio.wait([task])
    assert states(path) in ([], [(0, "intended")])


async def test_a_commit_that_fails_fails_all_tasks_that_wait_for_it(path: Path, disk: Disk) -> None:
    disk.pages = 4
    async with journal_at(path) as journal:
        tasks = [begun(journal, str(item)) for item in range(2000)]
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {str(end) for end in ends} == {FULL.format(path)}


async def test_cancelling_one_task_whose_commit_fails_does_not_disturb_the_others(
    path: Path, disk: Disk
) -> None:
    async with journal_at(path) as journal:
        barrier = Barrier(disk)
        tasks = [asyncio.create_task(begun(journal, item)) for item in "abc"]
        await asyncio.to_thread(barrier.reached.wait)
        disk.failing = "COMMIT"
        tasks[1].cancel()
        barrier.open.set()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [JournalError, asyncio.CancelledError, JournalError]


FULL = "the journal {} is on a disk that is full: make room and run again, nothing is lost"


async def _flush(journal: Journal) -> None:
    await journal.flush()


async def _count(journal: Journal) -> int:
    return await journal.count(State.CREATED)


async def _page(journal: Journal) -> object:
    return await journal.page(State.CREATED, ("", -1))


@pytest.mark.parametrize("ask", [begun, _flush, _count, _page])
async def test_after_a_commit_that_failed_nothing_is_trusted_to_the_journal(
    path: Path, disk: Disk, ask: Callable[[Journal], Coroutine[Any, Any, object]]
) -> None:
    disk.pages = 4
    async with journal_at(path) as journal:
        await _fill(journal)
        before = disk.commits
        with pytest.raises(JournalError, match="disk that is full"):
            await ask(journal)
        assert disk.commits == before


async def test_what_was_durable_before_a_full_disk_is_there_when_there_is_room(
    path: Path, disk: Disk
) -> None:
    disk.pages = 8
    async with journal_at(path) as journal:
        durable = await _fill(journal)
    disk.pages = None
    async with journal_at(path) as journal:
        assert await journal.count(State.INTENDED) == durable
        assert (await begun(journal, "one more")).state is None


async def _fill(journal: Journal) -> int:
    """Begin until the disk is full; return how many beginnings are durable."""
    for item in range(1000):
        try:
            await asyncio.gather(*(begun(journal, f"{item}-{number}") for number in range(10)))
        except JournalError:
            return 10 * item
    raise AssertionError("the disk was never full")


async def test_ends_that_could_not_be_written_do_not_keep_the_journal_from_closing(
    path: Path, disk: Disk
) -> None:
    disk.pages = 8
    async with journal_at(path) as journal:
        await _fill(journal)
        journal.end(journal.fingerprint("0-0"), 0, State.CREATED, restream_id=5)
    assert query(copy_of(path), "SELECT DISTINCT state FROM creation") == [("intended",)]
