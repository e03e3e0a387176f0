"""The same restream several times in one input."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from restream_async import BulkReport, NewRestream, Origin
from restream_async._bulk.repeats import Repeats
from restream_async.sandbox import Fault, Sandbox
from tests.helpers.in_memory_service import Backend, Fate, InMemoryClient, in_memory_client, new
from tests.helpers.journal_clients import copies, late_commit_client, once, origins
from tests.helpers.journal_disk import copy_of, files_of, states

FAR = 400
"""Items between two that are far apart: more than can be in progress at once."""


def between(number: int = FAR) -> Iterator[NewRestream]:
    return (new(f"between-{index}") for index in range(number))


async def report(
    client: InMemoryClient,
    *wanted: NewRestream,
    journal: Path | None,
    repeats: Repeats = "existing",
) -> BulkReport:
    async with client.run(*wanted, journal=journal, repeats=repeats) as run:
        return await run.report()


def of(report: BulkReport, wanted: NewRestream) -> list[tuple[Origin, int | str]]:
    return [(item.origin, item.restream.id) for item in report.created if item.request == wanted]


async def test_repeats_at_once_are_created_once_and_reported_each(path: Path) -> None:
    async with Sandbox(latency=0.005) as sandbox, late_commit_client(sandbox) as client:
        report = await client.create_all([new()] * 3, journal=path)
        assert sandbox.counts.posts == 1
    assert origins(report.created) == [Origin.POSTED, Origin.EXISTING, Origin.EXISTING]
    assert {item.restream.id for item in report.created} == {1}
    assert (report.counts.posted, report.counts.existing) == (1, 2)


async def test_a_repeat_far_apart_is_created_once_and_costs_no_request(path: Path) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        report = await client.create_all([new(), *between(), new()], journal=path)
        assert sandbox.counts.posts == FAR + 1
        assert sandbox.counts.lists == 0
    first, last = report.created[0], report.created[-1]
    assert (first.origin, last.origin) == (Origin.POSTED, Origin.EXISTING)
    assert first.restream == last.restream
    assert last.attempts == 0


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.BACKEND_FETCH_FAILED])
@pytest.mark.parametrize("stored", [True, False])
async def test_repeats_of_one_in_doubt_are_created_once(
    path: Path, *, fault: Fault, stored: bool
) -> None:
    faults = once(after=fault) if stored else once(before=fault)
    async with Sandbox(faults=faults) as sandbox, late_commit_client(sandbox) as client:
        report = await client.create_all([new()] * 4, journal=path)
        assert list(copies(sandbox).values()) == [1]
    assert report.failed == ()
    assert origins(report.created)[1:] == [Origin.EXISTING] * 3


async def test_both_come_from_the_journal_the_next_time(path: Path) -> None:
    backend = Backend()
    await report(in_memory_client(backend), new(), new(), journal=path)
    again = await report(in_memory_client(backend), new(), new(), journal=path)
    assert of(again, new()) == [(Origin.JOURNAL, 1), (Origin.EXISTING, 1)]
    assert backend.count("POST") == 1


async def test_a_repeat_of_one_that_failed_is_tried_again(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.REFUSED)
    run = await report(in_memory_client(backend), new(), *between(), new(), journal=path)
    assert [item.index for item in run.failed] == [0]
    assert of(run, new()) == [(Origin.POSTED, FAR + 1)]


async def test_a_repeat_whose_check_fails_does_not_make_the_next_run_create_it_twice(
    path: Path,
) -> None:
    backend = Backend()
    backend.meets("GET", *[Fate.LOST_BEFORE] * 3)
    first = await report(in_memory_client(backend), new(), new(), journal=path)
    assert origins([*first.created, *first.failed]) == [Origin.POSTED, "BackendFetchFailedError"]
    second = await report(in_memory_client(backend), new(), new(), journal=path)
    assert of(second, new()) == [(Origin.JOURNAL, 1), (Origin.EXISTING, 1)]
    assert backend.count("POST") == 1


async def test_a_repeat_that_fails_leaves_the_doubt_about_the_first_to_the_next_run(
    path: Path,
) -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LATE] * 3)
    backend.meets("GET", *[Fate.DONE] * 3, *[Fate.LOST_BEFORE] * 3)
    client = in_memory_client(backend, limit=1)
    first = await report(client, new(), new(), journal=path)
    assert [item.index for item in first.failed] == [0, 1]
    posts = backend.count("POST")
    second = await report(in_memory_client(backend), new(), journal=path)
    assert origins(second.created) == [Origin.CONFIRMED]
    assert backend.count("POST") == posts


async def test_a_repeat_much_later_that_fails_leaves_the_doubt_about_the_first_as_well(
    path: Path,
) -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LATE] * 3, video="v9")
    backend.meets("GET", *[Fate.DONE] * 3, *[Fate.LOST_BEFORE] * 3, video="v9")
    doubtful = new(video="v9")
    client = in_memory_client(backend, limit=1)
    first = await report(client, doubtful, *between(), doubtful, journal=path)
    assert [item.index for item in first.failed] == [0, FAR + 1]
    posts = backend.count("POST")
    second = await report(in_memory_client(backend), doubtful, journal=path)
    assert origins(second.created) == [Origin.CONFIRMED]
    assert backend.count("POST") == posts


async def test_a_repeat_that_is_found_does_not_hide_that_the_run_created_it(path: Path) -> None:
    backend = Backend()
    run = await report(in_memory_client(backend), new(), new(), journal=path)
    assert of(run, new()) == [(Origin.POSTED, 1), (Origin.EXISTING, 1)]
    assert backend.count("GET") == 1
    assert states(path) == [(0, "created")]


async def test_a_crash_during_a_repeat_whose_first_failed_is_checked(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.REFUSED)
    crashed: list[Path] = []

    def choose(method: str) -> None:
        if method == "POST" and backend.count("POST") == 2:
            crashed.append(copy_of(path))

    backend.watch = choose
    backend.turns = 1000
    await report(in_memory_client(backend), new(), new(), journal=path)
    backend.turns = 1
    assert states(crashed[0]) == [(0, "intended")]
    assert len(files_of(crashed[0])) == 2
    again = await report(in_memory_client(backend), new(), journal=crashed[0])
    assert of(again, new()) == [(Origin.CONFIRMED, 1)]
    assert backend.count("POST") == 2


@pytest.mark.parametrize("apart", [0, 1, FAR])
async def test_repeats_that_are_wanted_are_each_created(path: Path, apart: int) -> None:
    async with Sandbox() as sandbox, late_commit_client(sandbox) as client:
        wanted = [new(), *between(apart), new()]
        report = await client.create_all(wanted, journal=path, repeats="create")
        assert sandbox.counts.posts == apart + 2
        resumed = await client.create_all(wanted, journal=path, repeats="create")
        assert sandbox.counts.posts == apart + 2
        assert copies(sandbox).most_common(1)[0][1] == 2
    ends = [report.created[0], report.created[-1]]
    assert [item.origin for item in ends] == [Origin.POSTED] * 2
    assert len({item.restream.id for item in ends}) == 2
    again = [resumed.created[0], resumed.created[-1]]
    assert [item.origin for item in again] == [Origin.JOURNAL] * 2
    assert {item.restream.id for item in again} == {item.restream.id for item in ends}


async def test_one_more_repeat_than_the_last_time_is_one_more_restream(path: Path) -> None:
    backend = Backend()
    await report(in_memory_client(backend), *[new()] * 2, journal=path, repeats="create")
    again = await report(in_memory_client(backend), *[new()] * 3, journal=path, repeats="create")
    assert origins(again.created) == [Origin.JOURNAL, Origin.JOURNAL, Origin.POSTED]
    assert list(backend.copies.values()) == [3]


async def test_a_repeat_after_doubt_is_not_mistaken_for_the_one_before_it(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.DONE, Fate.LOST_BEFORE, Fate.DONE, Fate.LOST_AFTER)
    client = in_memory_client(backend)
    run = await report(client, *[new()] * 3, journal=path, repeats="create")
    ends = sorted(of(run, new()), key=lambda end: end[1])
    assert ends == [(Origin.POSTED, 1), (Origin.POSTED, 2), (Origin.CONFIRMED, 3)]


@pytest.mark.parametrize("stored", [True, False])
async def test_a_repeat_in_flight_at_a_crash_is_found_or_created_but_not_a_third(
    path: Path, *, stored: bool
) -> None:
    backend = Backend()
    fate = Fate.LOST_AFTER if stored else Fate.LOST_BEFORE
    backend.meets("POST", Fate.DONE, fate)
    backend.meets("GET", *[Fate.LOST_BEFORE] * 20)
    client = in_memory_client(backend, attempts=1)
    first = await report(client, new(), new(), journal=path, repeats="create")
    assert origins([*first.created, *first.failed]) == [Origin.POSTED, "OutcomeUnknownError"]
    backend.fates.clear()
    again = await report(in_memory_client(backend), new(), new(), journal=path, repeats="create")
    second = Origin.CONFIRMED if stored else Origin.POSTED
    assert of(again, new()) == [(Origin.JOURNAL, 1), (second, 2)]
    assert list(backend.copies.values()) == [2]
