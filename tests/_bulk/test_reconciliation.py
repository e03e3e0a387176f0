"""Reconciliation: what a slow service stores late is found at the end of a run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from restream_async import BulkReport, NewRestream, Origin
from restream_async._bulk.repeats import Repeats
from restream_async._bulk.report import Duplicate
from restream_async._journal.journal import Journal
from restream_async._operations.existence import key_of
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.in_memory_service import (
    IDENTITY,
    Backend,
    Fate,
    InMemoryClient,
    in_memory_client,
    new,
)
from tests.helpers.journal_clients import each_once, late_commit_client, origins
from tests.helpers.journal_disk import query

WANTED = [new(str(number), video=f"v{number % 3}") for number in range(9)]
LATE_ONCE = Faults(late=1.0, late_by=3600, max_faults=1, retry_after=None)


async def report(
    client: InMemoryClient,
    *wanted: NewRestream,
    journal: Path | None = None,
    repair: bool = False,
    repeats: Repeats = "existing",
) -> BulkReport:
    async with client.run(*wanted, journal=journal, repair=repair, repeats=repeats) as run:
        return await run.report()


async def test_late_commits_are_reported_by_id() -> None:
    async with Sandbox(faults=LATE_ONCE) as sandbox, late_commit_client(sandbox) as client:
        async with client.create_many(WANTED) as run:
            report = await run.report()
        kept = {item.restream.id for item in report.created}
        extra = {item.id for item in sandbox.stored} - kept
        assert sandbox.counts.deletes == 0
    assert len(extra) == len(WANTED)
    assert {identifier for item in report.duplicates for identifier in item.extra} == extra
    assert {item.kept for item in report.duplicates} == kept
    assert sorted(item.index for item in report.duplicates) == list(range(len(WANTED)))
    assert run.duplicates == report.duplicates
    assert (report.unchecked, run.unchecked) == (0, 0)
    assert not any(item.deleted or item.reported_failed for item in report.duplicates)


async def test_late_commits_are_repaired_where_that_is_asked_for() -> None:
    async with Sandbox(faults=LATE_ONCE) as sandbox, late_commit_client(sandbox) as client:
        report = await client.create_all(WANTED, repair=True)
        assert each_once(sandbox, WANTED)
        assert {item.id for item in sandbox.stored} == {item.restream.id for item in report.created}
        assert sandbox.counts.deletes == len(WANTED)
    assert [item.deleted for item in report.duplicates] == [
        item.extra for item in report.duplicates
    ]


async def test_without_doubt_nothing_is_listed_and_nothing_waited_for(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.TURNED_AWAY, Fate.UNSENT, Fate.DONE, Fate.REFUSED)
    client = in_memory_client(backend)
    run = await report(client, *WANTED, journal=path, repair=True)
    assert len(run.failed) == 1
    assert backend.count("GET") == 0
    assert sum(client.slept) < 0.5


async def test_the_check_comes_a_grace_after_the_last_doubt() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    client = in_memory_client(backend)
    run = await report(client, new())
    assert client.slept[-1] == pytest.approx(1.0)
    assert [item.extra for item in run.duplicates] == [(2,)]


async def test_time_that_has_passed_since_the_doubt_is_not_waited_for_again() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    client = in_memory_client(backend)
    async with client.run(new()) as run:
        await anext(run)
        await client.executor.clock.sleep(0.9)
        await run.report()
    assert client.slept[-1] == pytest.approx(0.1)
    assert [item.extra for item in run.duplicates] == [(2,)]


async def test_each_video_is_listed_once_for_any_number_of_creations_in_doubt() -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LOST_AFTER] * len(WANTED))
    client = in_memory_client(backend, limit=2)
    run = await report(client, *WANTED)
    assert origins(run.created) == [Origin.CONFIRMED] * len(WANTED)
    assert run.duplicates == ()
    assert backend.count("GET") == len(WANTED) + 3


async def test_what_could_not_be_checked_again_is_counted() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE, Fate.LOST_BEFORE)
    backend.meets("GET", Fate.DONE, Fate.DONE, *[Fate.LOST_BEFORE] * 3)
    client = in_memory_client(backend)
    async with client.run(new("a"), new("b"), new("c", video="v2")) as run:
        report = await run.report()
    assert report.failed == ()
    assert (report.unchecked, run.unchecked, report.duplicates) == (2, 2, ())


async def test_a_video_without_restreams_has_no_extra_copies_whatever_the_service_calls_it() -> (
    None
):
    backend = Backend()
    backend.meets("POST", *[Fate.LOST_BEFORE] * 3)
    backend.meets("GET", *[Fate.NOT_FOUND] * 9)
    run = await report(in_memory_client(backend), new())
    assert origins(run.failed) == ["BackendFetchFailedError"]
    assert (run.unchecked, run.duplicates) == (0, ())


async def test_what_was_reported_failed_and_appears_later_is_reported() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE, Fate.REFUSED)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert origins(run.failed) == ["BadRequestError"]
    assert run.duplicates == (
        Duplicate(index=0, video_id="v1", kept=1, extra=(), reported_failed=True),
    )
    assert backend.ids_of(new()) == [1]


async def test_a_repair_leaves_one_of_several_restreams_that_appear_after_a_failure() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE, Fate.LATE, Fate.LATE)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert run.duplicates == (
        Duplicate(
            index=0, video_id="v1", kept=1, extra=(2, 3), deleted=(2, 3), reported_failed=True
        ),
    )
    assert backend.ids_of(new()) == [1]


async def test_one_that_was_there_before_is_adopted_and_its_copy_not_deleted() -> None:
    backend = Backend()
    before = backend.add(new())
    backend.meets("POST", Fate.LOST_AFTER)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [(item.origin, item.restream.id) for item in run.created] == [
        (Origin.CONFIRMED, before.id)
    ]
    assert run.duplicates == (Duplicate(index=0, video_id="v1", kept=before.id, extra=(2,)),)
    assert backend.count("DELETE") == 0


async def test_one_that_was_there_before_is_safe_where_no_check_could_see_it() -> None:
    backend = Backend()
    before = backend.add(new())
    backend.meets("POST", Fate.LOST_AFTER)
    backend.meets("GET", *[Fate.LOST_BEFORE] * 3)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [(item.restream.id, item.maybe_duplicate) for item in run.created] == [(3, True)]
    assert run.duplicates == (Duplicate(index=0, video_id="v1", kept=3, extra=(before.id, 2)),)
    assert backend.count("DELETE") == 0


async def test_one_that_was_there_before_is_safe_where_the_listing_was_not_found() -> None:
    backend = Backend()
    backend.add(new())
    backend.meets("POST", Fate.LOST_BEFORE)
    backend.meets("GET", Fate.NOT_FOUND)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [item.extra for item in run.duplicates] == [(1,)]
    assert backend.ids_of(new()) == [1, 2]


async def test_one_that_was_there_before_is_safe_with_a_client_that_never_checks() -> None:
    backend = Backend()
    backend.add(new())
    backend.meets("POST", Fate.LOST_AFTER)
    run = await report(in_memory_client(backend, in_doubt="resend"), new(), repair=True)
    assert [item.extra for item in run.duplicates] == [(1, 2)]
    assert backend.ids_of(new()) == [1, 2, 3]


async def test_after_a_check_that_saw_nothing_later_blind_copies_are_the_runs_own() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE, Fate.LOST_AFTER)
    backend.meets("GET", Fate.DONE, *[Fate.LOST_BEFORE] * 3)
    run = await report(in_memory_client(backend, attempts=3), new(), repair=True)
    assert [(item.restream.id, item.maybe_duplicate) for item in run.created] == [(2, True)]
    assert run.duplicates == (
        Duplicate(index=0, video_id="v1", kept=2, extra=(1, 3), deleted=(1, 3)),
    )
    assert backend.ids_of(new()) == [2]


async def test_other_restreams_of_the_video_are_left_alone() -> None:
    backend = Backend()
    others = [backend.add(new("other")), backend.add(new("other")), backend.add(new(video="v2"))]
    backend.meets("POST", Fate.LATE)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [item.deleted for item in run.duplicates] == [(5,)]
    assert [item.id for item in backend.stored] == [*(item.id for item in others), 4]


async def test_if_the_kept_one_has_gone_nothing_is_deleted() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    client = in_memory_client(backend)
    async with client.run(new(), repair=True) as run:
        await anext(run)
        backend.stored.clear()
        report = await run.report()
    assert report.duplicates == (Duplicate(index=0, video_id="v1", kept=1, extra=(2,)),)
    assert report.unchecked == 1
    assert backend.ids_of(new()) == [2]


async def test_nothing_is_deleted_unless_it_is_asked_for() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    run = await report(in_memory_client(backend), new())
    assert run.duplicates == (Duplicate(index=0, video_id="v1", kept=1, extra=(2,)),)
    assert backend.count("DELETE") == 0


@pytest.mark.parametrize(
    ("fates", "deleted", "left"),
    [
        ([Fate.LOST_AFTER], (2,), [1]),
        ([Fate.LOST_BEFORE, Fate.TURNED_AWAY], (2,), [1]),
        ([Fate.REFUSED], (), [1, 2]),
        ([Fate.LOST_BEFORE] * 3, (), [1, 2]),
    ],
)
async def test_a_deletion_is_reported_as_done_only_if_it_is(
    fates: list[Fate], deleted: tuple[int, ...], left: list[int]
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    backend.meets("DELETE", *fates)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert run.duplicates == (
        Duplicate(index=0, video_id="v1", kept=1, extra=(2,), deleted=deleted),
    )
    assert backend.ids_of(new()) == left


async def test_a_copy_that_another_client_deletes_is_not_reported_as_deleted_here() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    backend.meets("DELETE", Fate.NOT_FOUND)
    run = await report(in_memory_client(backend), new(), repair=True)
    assert [item.deleted for item in run.duplicates] == [()]


@pytest.mark.parametrize("repair", [False, True])
async def test_a_copy_is_reported_once_if_its_restream_is_in_the_input_several_times(
    path: Path, *, repair: bool
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    between = [new(str(number)) for number in range(400)]
    client = in_memory_client(backend, limit=1)
    run = await report(client, new(), *between, new(), journal=path, repair=repair)
    assert [(item.index, item.extra) for item in run.duplicates] == [(0, (402,))]
    assert [item.deleted for item in run.duplicates] == [(402,) if repair else ()]
    assert run.counts.in_doubt == 1


@pytest.mark.parametrize("noted", [False, True])
async def test_a_late_copy_of_one_that_failed_is_extra_where_a_repeat_was_created(
    path: Path, *, noted: bool
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE, Fate.LOST_BEFORE, Fate.LOST_BEFORE, video="v9")
    wanted = new(video="v9")
    between = [new(str(number)) for number in range(400)]
    client = in_memory_client(backend, limit=1)
    journal = path if noted else None
    run = await report(client, wanted, *between, wanted, journal=journal, repair=True)
    assert [item.index for item in run.failed] == [0]
    given = run.created[-1].restream.id
    assert [(item.index, item.kept, item.deleted) for item in run.duplicates] == [
        (0, given, (402,))
    ]
    assert backend.ids_of(wanted) == [given]


async def test_a_late_copy_of_one_that_failed_is_not_extra_where_a_repeat_found_it() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    failed = asyncio.Event()

    async def source() -> AsyncIterator[NewRestream]:
        yield new()
        await failed.wait()
        backend.settle()
        yield new()

    client = in_memory_client(backend, attempts=1)
    async with client.run(source=source(), repair=True) as run:
        await anext(run)
        failed.set()
        report = await run.report()
    assert [(item.origin, item.restream.id) for item in report.created] == [(Origin.EXISTING, 1)]
    assert report.duplicates == ()
    assert backend.ids_of(new()) == [1]


async def test_equal_items_in_doubt_are_no_extra_copies_of_each_other() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE, Fate.DONE, Fate.LOST_BEFORE)
    client = in_memory_client(backend, limit=1)
    run = await report(client, new(), new(), repair=True, repeats="create")
    assert (run.counts.in_doubt, run.duplicates) == (2, ())
    assert backend.ids_of(new()) == [1, 2]


async def test_failures_of_the_same_restream_do_not_tell_of_the_same_copies() -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LATE] * 2)
    run = await report(in_memory_client(backend, attempts=1), new(), new(), repair=True)
    assert origins(run.failed) == ["BackendFetchFailedError"] * 2
    assert [item.extra for item in run.duplicates] == [(2,), ()]
    assert backend.ids_of(new()) == [1]


async def test_a_doubt_survives_a_crash_before_the_last_check(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    async with in_memory_client(backend).run(new(), journal=path, repair=True) as crashed:
        await anext(crashed)
    backend.settle()
    resumed = await report(in_memory_client(backend), new(), journal=path, repair=True)
    assert origins(resumed.created) == [Origin.JOURNAL]
    assert resumed.counts.in_doubt == 1
    assert resumed.duplicates == (
        Duplicate(index=0, video_id="v1", kept=1, extra=(2,), deleted=(2,)),
    )
    assert backend.ids_of(new()) == [1]


async def test_a_resumed_repair_deletes_no_copies_if_there_are_more_than_attempts_in_doubt(
    path: Path,
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    async with in_memory_client(backend).run(new(), journal=path, repair=True) as crashed:
        await anext(crashed)
    backend.settle()
    backend.add(new())
    resumed = await report(in_memory_client(backend), new(), journal=path, repair=True)
    assert [(item.kept, item.extra, item.deleted) for item in resumed.duplicates] == [
        (1, (2, 3), ())
    ]


async def test_a_resumed_repair_deletes_the_late_copy_of_a_killed_run(path: Path) -> None:
    async with Journal(path, IDENTITY) as killed:
        await killed.begin(killed.fingerprint(*key_of(new())))
    backend = Backend()
    client = in_memory_client(backend)
    backend.meets("POST", Fate.LATE)
    await backend.send(client.api.create(new()), 1.0)
    resumed = await report(client, new(), journal=path, repair=True)
    assert origins(resumed.created) == [Origin.POSTED]
    assert resumed.duplicates == (
        Duplicate(index=0, video_id="v1", kept=1, extra=(2,), deleted=(2,)),
    )


async def test_a_doubt_that_was_checked_is_not_checked_again(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_AFTER)
    await report(in_memory_client(backend), new(), journal=path)
    backend.sent.clear()
    client = in_memory_client(backend)
    resumed = await report(client, new(), journal=path)
    assert (origins(resumed.created), resumed.counts.in_doubt) == ([Origin.JOURNAL], 0)
    assert (backend.sent, client.slept) == ([], [])


async def test_extra_copies_are_reported_by_each_run_until_one_deletes_them(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    runs = [
        await report(in_memory_client(backend), new(), journal=path, repair=repair)
        for repair in (False, False, True, False)
    ]
    assert [[item.extra for item in run.duplicates] for run in runs] == [[(2,)]] * 3 + [[]]
    assert backend.ids_of(new()) == [1]


async def test_a_doubt_whose_last_check_failed_is_checked_by_the_next_run(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    backend.meets("GET", Fate.DONE, *[Fate.LOST_BEFORE] * 3)
    first = await report(in_memory_client(backend), new(), journal=path, repair=True)
    assert (first.unchecked, first.duplicates) == (1, ())
    resumed = await report(in_memory_client(backend), new(), journal=path, repair=True)
    assert (resumed.unchecked, [item.deleted for item in resumed.duplicates]) == (0, [(2,)])


async def test_a_resumed_run_deletes_nothing_that_may_have_been_there_before(path: Path) -> None:
    backend = Backend()
    backend.add(new())
    backend.meets("POST", Fate.LOST_AFTER)
    async with in_memory_client(backend).run(new(), journal=path, repair=True) as crashed:
        await anext(crashed)
    resumed = await report(in_memory_client(backend), new(), journal=path, repair=True)
    assert [(item.kept, item.extra, item.deleted) for item in resumed.duplicates] == [(1, (2,), ())]
    assert query(path, "SELECT state FROM creation") == [("found",)]


async def test_a_check_that_is_cancelled_leaves_what_it_had_not_seen_unchecked() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LATE)
    async with in_memory_client(backend).run(new()) as run:
        await anext(run)
        backend.turns = 10**6
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(run), 0.01)
    assert run.unchecked == 1


@pytest.mark.parametrize("fates", [[Fate.LATE, Fate.DONE], [Fate.DONE, Fate.LATE]])
async def test_a_repair_never_deletes_what_another_item_of_the_run_was_given(
    fates: list[Fate],
) -> None:
    backend = Backend()
    backend.meets("POST", *fates)
    run = await report(in_memory_client(backend), new(), new(), repair=True, repeats="create")
    assert [item.restream.id for item in run.created] == backend.ids_of(new())
    assert [len(item.deleted) for item in run.duplicates] == [1]


async def test_a_repair_never_deletes_what_a_later_item_was_given() -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE)
    between = [new(str(number)) for number in range(400)]
    run = await report(in_memory_client(backend, limit=1), new(), *between, new(), repair=True)
    assert {item.restream.id for item in run.created} <= {item.id for item in backend.stored}


async def test_a_resumed_repair_deletes_nothing_that_the_journal_knows_to_be_wanted(
    path: Path,
) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_BEFORE)
    async with in_memory_client(backend).run(
        new(), new(), journal=path, repeats="create"
    ) as crashed:
        outcomes = [await anext(crashed), await anext(crashed)]
    assert len(outcomes) == 2
    resumed = await report(
        in_memory_client(backend), new(), new(), journal=path, repair=True, repeats="create"
    )
    assert (resumed.counts.from_journal, resumed.counts.in_doubt) == (2, 1)
    assert resumed.duplicates == ()
    assert len(backend.ids_of(new())) == 2


async def test_a_report_may_be_asked_for_after_the_block(path: Path) -> None:
    async with in_memory_client(Backend()).run(new(), journal=path) as run:
        assert [outcome async for outcome in run]
    assert (await run.report()).counts.posted == 1
