"""A run with the journal of an earlier one: nothing is done twice, and nothing is left out."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from restream_async import BulkReport, NewRestream, Origin, Outcome
from restream_async.errors import JournalError
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.in_memory_service import Backend, Fate, InMemoryClient, in_memory_client, new
from tests.helpers.journal_clients import collect, each_once, late_commit_client, losses, origins
from tests.helpers.journal_disk import Barrier, Disk, states

WANTED = [new(str(number), video=f"v{number % 4}") for number in range(40)]


async def create_all(
    sandbox: Sandbox, wanted: list[NewRestream], path: Path, *, ensure: bool = False
) -> BulkReport:
    async with late_commit_client(sandbox) as client:
        return await client.create_all(wanted, journal=path, ensure=ensure)


async def report(client: InMemoryClient, *wanted: NewRestream, journal: Path) -> BulkReport:
    async with client.run(*wanted, journal=journal) as run:
        return await run.report()


async def test_what_is_done_comes_back_without_a_request_and_as_it_was_created(path: Path) -> None:
    async with Sandbox() as sandbox:
        first = await create_all(sandbox, WANTED, path)
        before = sandbox.counts
        second = await create_all(sandbox, WANTED, path)
        assert sandbox.counts == before
    assert origins(first.created) == [Origin.POSTED] * len(WANTED)
    assert origins(second.created) == [Origin.JOURNAL] * len(WANTED)
    assert [item.restream for item in second.created] == [item.restream for item in first.created]
    assert [item.attempts for item in second.created] == [0] * len(WANTED)
    assert [item.index for item in second.created] == list(range(len(WANTED)))


async def test_ids_that_are_strings_come_back_as_strings(path: Path) -> None:
    async with Sandbox(ids="str") as sandbox:
        await create_all(sandbox, WANTED[:1], path)
        second = await create_all(sandbox, WANTED[:1], path)
    assert [item.restream.id for item in second.created] == ["1"]


async def test_with_ensure_done_ones_are_checked_at_the_service(path: Path) -> None:
    async with Sandbox() as sandbox:
        first = await create_all(sandbox, WANTED, path)
        second = await create_all(sandbox, WANTED, path, ensure=True)
        assert sandbox.counts.lists == len(WANTED)
        assert sandbox.counts.posts == len(WANTED)
    assert origins(second.created) == [Origin.EXISTING] * len(WANTED)
    assert [item.restream for item in second.created] == [item.restream for item in first.created]


async def test_with_ensure_what_was_deleted_at_the_service_is_created_again(path: Path) -> None:
    async with Sandbox() as sandbox:
        first = await create_all(sandbox, WANTED, path)
        async with late_commit_client(sandbox) as client:
            await client.delete(first.created[0].restream.id)
        second = await create_all(sandbox, WANTED, path, ensure=True)
        assert each_once(sandbox, WANTED)
        third = await create_all(sandbox, WANTED, path)
    assert second.counts.posted == 1
    assert [item.restream.id for item in third.created] == [
        item.restream.id for item in second.created
    ]


async def test_what_ensure_could_not_check_is_as_done_as_before(path: Path) -> None:
    async with Sandbox() as sandbox:
        await create_all(sandbox, WANTED[:1], path)
        sandbox.faults = Faults(listing={Fault.INTERNAL_ERROR: 1.0})
        second = await create_all(sandbox, WANTED[:1], path, ensure=True)
        sandbox.faults = Faults()
        third = await create_all(sandbox, WANTED[:1], path)
        assert sandbox.counts.posts == 1
    assert len(second.failed) == 1
    assert origins(third.created) == [Origin.JOURNAL]


@pytest.mark.parametrize("spelling", ["/app/", ":443/app", "/app"])
async def test_a_url_that_is_spelled_otherwise_is_the_same_restream(
    path: Path, spelling: str
) -> None:
    url = WANTED[0].stream_url
    other = attrs.evolve(WANTED[0], stream_url=url.replace("/app", spelling))
    async with Sandbox() as sandbox:
        await create_all(sandbox, [WANTED[0], other], path)
        second = await create_all(sandbox, [other], path)
        assert sandbox.counts.posts == 1
    assert origins(second.created) == [Origin.JOURNAL]


@pytest.mark.parametrize("fate", [Fate.NOT_FOUND, Fate.NOT_ALLOWED])
async def test_with_ensure_a_list_that_contradicts_the_journal_creates_nothing(
    path: Path, fate: Fate
) -> None:
    backend = Backend()
    await report(in_memory_client(backend), *WANTED[:3], journal=path)
    backend.meets("GET", *[fate] * 3)
    async with in_memory_client(backend).run(*WANTED[:3], journal=path, ensure=True) as run:
        second = await run.report()
    third = await report(in_memory_client(backend), *WANTED[:3], journal=path)
    assert len(second.failed) == 3
    assert origins(third.created) == [Origin.JOURNAL] * 3
    assert backend.count("POST") == 3


async def test_a_later_run_tells_the_title_and_status_that_the_service_has(path: Path) -> None:
    renamed = attrs.evolve(WANTED[0], title="Another", status=False)
    async with Sandbox() as sandbox:
        first = await create_all(sandbox, WANTED[:1], path)
        second = await create_all(sandbox, [renamed], path)
    (created,) = second.created
    assert created.restream == first.created[0].restream
    assert created.differences == ("title", "status")


async def test_the_input_may_be_reordered(path: Path) -> None:
    async with Sandbox() as sandbox:
        first = await create_all(sandbox, WANTED, path)
        second = await create_all(sandbox, WANTED[::-1], path)
        assert sandbox.counts.posts == len(WANTED)
    ids = [item.restream.id for item in first.created]
    assert [item.restream.id for item in second.created] == ids[::-1]


async def test_the_input_may_be_extended_anywhere(path: Path) -> None:
    added = [new("added"), new("added", video="v2")]
    async with Sandbox() as sandbox:
        await create_all(sandbox, WANTED, path)
        second = await create_all(sandbox, [added[0], *WANTED, added[1]], path)
        assert each_once(sandbox, [*WANTED, *added])
        assert sandbox.counts.posts == len(WANTED) + len(added)
    expected = [Origin.POSTED, *[Origin.JOURNAL] * len(WANTED), Origin.POSTED]
    assert origins(second.created) == expected


async def test_the_input_may_be_shortened_and_what_was_left_out_is_still_known(path: Path) -> None:
    async with Sandbox() as sandbox:
        await create_all(sandbox, WANTED, path)
        assert len((await create_all(sandbox, WANTED[:3], path)).created) == 3
        third = await create_all(sandbox, WANTED, path)
        assert sandbox.counts.posts == len(WANTED)
    assert origins(third.created) == [Origin.JOURNAL] * len(WANTED)


async def test_an_empty_input_is_a_run_as_well(path: Path) -> None:
    async with Sandbox() as sandbox:
        assert await create_all(sandbox, [], path) == await create_all(sandbox, [], path)


async def test_what_was_found_comes_back_from_the_journal_too(path: Path) -> None:
    async with Sandbox() as sandbox:
        async with late_commit_client(sandbox) as client:
            await client.create(WANTED[0])
        first = await create_all(sandbox, WANTED[:1], path, ensure=True)
        second = await create_all(sandbox, WANTED[:1], path)
        assert sandbox.counts.posts == 1
    assert origins([*first.created, *second.created]) == [Origin.EXISTING, Origin.JOURNAL]


async def test_what_was_refused_is_sent_again_without_a_check(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.REFUSED)
    first = await report(in_memory_client(backend), new(), journal=path)
    second = await report(in_memory_client(backend), new(), journal=path)
    assert origins([*first.failed, *second.created]) == ["BadRequestError", Origin.POSTED]
    assert [request.method for request in backend.sent] == ["POST", "POST"]


async def test_what_failed_in_doubt_is_checked_before_it_is_sent_again(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LOST_BEFORE] * 3)
    first = await report(in_memory_client(backend), new(), journal=path)
    backend.sent.clear()
    second = await report(in_memory_client(backend), new(), journal=path)
    assert origins([*first.failed, *second.created]) == ["BackendFetchFailedError", Origin.POSTED]
    # The last one is the reconciliation at the end of the run.
    assert [request.method for request in backend.sent] == ["GET", "POST", "GET"]


async def test_what_turned_up_after_it_had_failed_is_adopted(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", *[Fate.LOST_BEFORE] * 3)
    await report(in_memory_client(backend), new(), journal=path)
    late = backend.add(new())
    backend.sent.clear()
    second = await report(in_memory_client(backend), new(), journal=path)
    assert [(item.origin, item.restream.id) for item in second.created] == [
        (Origin.CONFIRMED, late.id)
    ]
    assert backend.count("POST") == 0


async def test_an_end_that_is_unknown_is_checked_by_the_next_run(path: Path) -> None:
    backend = Backend()
    backend.meets("POST", Fate.LOST_AFTER)
    backend.meets("GET", *[Fate.LOST_BEFORE] * 20)
    client = in_memory_client(backend, in_doubt="raise")
    first = await report(client, new(), journal=path)
    assert origins(first.failed) == ["OutcomeUnknownError"]
    backend.fates.clear()
    second = await report(in_memory_client(backend), new(), journal=path)
    assert origins(second.created) == [Origin.CONFIRMED]
    assert backend.count("POST") == 1


@pytest.mark.parametrize("stored", [True, False])
async def test_what_was_in_flight_when_the_run_was_left_is_checked_first(
    path: Path, *, stored: bool
) -> None:
    fate = {Fault.HANG: 1.0}
    faults = Faults(after=fate) if stored else Faults(before=fate)
    # As many as a client sends before the first answer.
    wanted = WANTED[:8]
    async with Sandbox(faults=faults) as sandbox:
        async with late_commit_client(sandbox) as client, client.create_many(wanted, journal=path):
            while sandbox.counts.in_flight < len(wanted):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
        sandbox.faults = Faults()
        second = await create_all(sandbox, wanted, path)
        assert each_once(sandbox, wanted)
        assert sandbox.counts.posts == len(wanted) * (1 if stored else 2)
    expected = Origin.CONFIRMED if stored else Origin.POSTED
    assert origins(second.created) == [expected] * len(wanted)


async def test_intents_whose_requests_never_left_are_checked_and_created(
    path: Path,
) -> None:
    backend = Backend()
    client = in_memory_client(backend, limit=1)
    backend.turns = 1_000_000
    async with client.run(*WANTED, journal=path):
        while len(states(path)) < 2 or not backend.count("POST"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert backend.count("POST") == 1
    backend.turns = 1
    second = await report(in_memory_client(backend), *WANTED, journal=path)
    assert origins(second.created) == [Origin.POSTED] * len(WANTED)
    assert set(backend.copies.values()) == {1}


async def test_a_run_left_early_and_resumed_creates_each_once(path: Path) -> None:
    faults = Faults(before=losses(0.2), after=losses(0.2), max_faults=3, retry_after=None)
    async with Sandbox(faults=faults, latency=0.002) as sandbox:
        for seen in (5, 10, 15):
            async with (
                late_commit_client(sandbox, max_in_flight=4) as client,
                client.create_many(WANTED, journal=path) as run,
            ):
                outcomes = [await anext(run) for _ in range(seen)]
            assert len({outcome.index for outcome in outcomes}) == seen
        await sandbox.settle()
        last = await create_all(sandbox, WANTED, path)
        assert each_once(sandbox, WANTED)
    assert last.failed == ()
    assert Origin.JOURNAL in origins(last.created)


async def test_a_run_whose_input_is_ended_finishes_what_it_has_read_and_is_resumed_where_it_stopped(
    path: Path,
) -> None:
    async with Sandbox(latency=0.001) as sandbox:
        async with late_commit_client(sandbox, max_in_flight=2) as client:
            read: list[int] = []

            def source() -> Iterator[NewRestream]:
                for index, item in enumerate(WANTED * 100):
                    read.append(index)
                    yield attempt(item, index)

            async with client.create_many(source(), journal=path) as run:
                outcomes: list[Outcome] = [await anext(run)]
                run.end_input()
                outcomes += [outcome async for outcome in run]
        assert sorted(outcome.index for outcome in outcomes) == read
        assert len(read) < len(WANTED) * 100
        assert sandbox.counts.posts == len(read)
        again = [attempt(WANTED[index % len(WANTED)], index) for index in [*read, -1]]
        second = await create_all(sandbox, again, path)
        assert sandbox.counts.posts == len(read) + 1
    assert origins(second.created) == [*[Origin.JOURNAL] * len(read), Origin.POSTED]


def attempt(item: NewRestream, number: int) -> NewRestream:
    return new(f"{item.stream_key}-{number}", video=item.video_id)


async def test_ending_the_input_while_the_journal_writes_still_creates_what_was_being_written(
    path: Path, disk: Disk
) -> None:
    backend = Backend()
    async with in_memory_client(backend).run(*WANTED, journal=path) as run:
        barrier = Barrier(disk)
        await asyncio.to_thread(barrier.reached.wait)
        run.end_input()
        barrier.open.set()
        outcomes = [outcome async for outcome in run]
    assert outcomes
    assert backend.count("POST") == len(outcomes) == len(states(path))


async def test_an_input_that_raises_does_so_after_all_that_it_gave_and_can_be_resumed(
    path: Path,
) -> None:
    def source() -> Iterator[NewRestream]:
        yield from WANTED[:7]
        raise LookupError("the file ends here")

    async with Sandbox() as sandbox:
        async with (
            late_commit_client(sandbox) as client,
            client.create_many(source(), journal=path) as run,
        ):
            outcomes, error = await collect(run)
        assert str(error) == "the file ends here"
        assert origins(outcomes) == [Origin.POSTED] * 7
        second = await create_all(sandbox, WANTED, path)
        assert each_once(sandbox, WANTED)
        assert sandbox.counts.posts == len(WANTED)
    assert origins(second.created)[:8] == [*[Origin.JOURNAL] * 7, Origin.POSTED]


async def test_a_run_with_the_journal_of_another_project_sends_nothing(path: Path) -> None:
    async with Sandbox() as sandbox, Sandbox(project_id="other") as other:
        await create_all(sandbox, WANTED[:1], path)
        with pytest.raises(JournalError, match="name another journal"):
            await create_all(other, WANTED[:1], path)
        assert other.counts.posts == 0
