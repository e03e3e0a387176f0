"""A run in numbers, and its report."""

from pathlib import Path

import pytest

from restream_async import Created, Origin
from restream_async._bulk.report import BulkCounts, BulkReport
from restream_async.errors import BackendFetchFailedError, BadRequestError
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.journal_clients import origins

OLD = new(video="v0")
WANTED = [OLD, *(new(video=f"v{number}") for number in range(1, 7)), OLD]


async def mixed(path: Path) -> BulkReport:
    """Create what was done before, posted, confirmed, refused, lost, resent, and met before."""
    backend = Backend()
    async with in_memory_client(backend).run(OLD, journal=path) as run:
        await run.report()
    backend.meets("POST", Fate.LOST_AFTER, video="v2")
    backend.meets("POST", Fate.REFUSED, video="v3")
    backend.meets("POST", Fate.REFUSED, video="v4")
    backend.meets("POST", *[Fate.LOST_BEFORE] * 3, video="v5")
    backend.meets("POST", Fate.LOST_BEFORE, video="v6")
    backend.meets("GET", *[Fate.LOST_BEFORE] * 3, video="v6")
    async with in_memory_client(backend).run(*WANTED, journal=path) as run:
        return await run.report()


async def test_every_end_is_counted_by_its_kind(path: Path) -> None:
    report = await mixed(path)
    assert origins([*report.created, *report.failed]) == [
        Origin.JOURNAL,
        Origin.POSTED,
        Origin.CONFIRMED,
        "BadRequestError",
        "BadRequestError",
        "BackendFetchFailedError",
        Origin.POSTED,
        Origin.EXISTING,
    ]
    assert report.counts == BulkCounts(
        posted=2,
        confirmed=1,
        existing=1,
        from_journal=1,
        failed={"BadRequestError": 2, "BackendFetchFailedError": 1},
        in_doubt=3,
        maybe_duplicate=1,
    )
    assert report.counts.created == len(report.created) == 5


async def test_a_report_is_in_the_order_of_the_input_not_of_the_ends(path: Path) -> None:
    report = await mixed(path)
    assert [item.index for item in report.created] == [0, 1, 2, 6, 7]
    assert [item.index for item in report.failed] == [3, 4, 5]


async def test_what_was_resent_blindly_says_that_there_may_be_two(path: Path) -> None:
    report = await mixed(path)
    assert [item.index for item in report.created if item.maybe_duplicate] == [6]


async def test_a_report_holds_what_was_not_iterated_over_and_counts_all() -> None:
    client = in_memory_client(Backend())
    async with client.run(*(new(str(number)) for number in range(5))) as run:
        seen = [await anext(run), await anext(run)]
        report = await run.report()
    assert len(report.created) == 3
    assert {item.index for item in (*seen, *report.created)} == set(range(5))
    assert report.counts.created == 5


async def test_counts_follow_the_run() -> None:
    client = in_memory_client(Backend(), limit=1)
    async with client.run(*(new(str(number)) for number in range(3))) as run:
        assert run.counts == BulkCounts()
        await anext(run)
        assert 1 <= run.counts.created <= 3
        await run.report()
        assert run.counts == BulkCounts(posted=3)


async def test_a_run_without_failures_raises_nothing() -> None:
    async with in_memory_client(Backend()).run(new()) as run:
        report = await run.report()
    report.raise_for_failures()


async def test_failures_are_raised_together_each_with_its_item(path: Path) -> None:
    report = await mixed(path)
    with pytest.raises(ExceptionGroup) as caught:
        report.raise_for_failures()
    assert caught.value.message == "3 of 8 restreams were not created"
    assert [type(error) for error in caught.value.exceptions] == [
        BadRequestError,
        BadRequestError,
        BackendFetchFailedError,
    ]
    notes = [getattr(error, "__notes__", []) for error in caught.value.exceptions]
    assert [note.partition(":")[0] for (note,) in notes] == [
        "item 3 of the input",
        "item 4 of the input",
        "item 5 of the input",
    ]
    assert not any("stream-key" in note for (note,) in notes)


async def test_raising_twice_does_not_say_everything_twice(path: Path) -> None:
    report = await mixed(path)
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            report.raise_for_failures()
    assert [len(failure.error.__notes__) for failure in report.failed] == [1, 1, 1]


async def test_each_created_one_says_after_how_many_attempts() -> None:
    backend = Backend()
    backend.meets("POST", Fate.TURNED_AWAY, Fate.LOST_BEFORE)
    async with in_memory_client(backend).run(new()) as run:
        outcome = await anext(run)
    assert isinstance(outcome, Created)
    assert outcome.attempts == 3
