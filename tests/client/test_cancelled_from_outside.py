"""Somebody cancels tasks that are not theirs: a run says so, and accounts for every item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from restream_async import Created, Failed, NotSentError, OutcomeUnknownError
from tests.helpers.client_calls import collect
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import TASK_NAME, RawServer, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    as_asked,
    created,
    listed,
    many,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from restream_async import Outcome
    from restream_async._bulk.undo import Undone

OUTSIDE: Final = "cancelled from outside"


def sweep(*spared: asyncio.Task[Any] | None) -> None:
    """Cancel all tasks of the loop but a few, and the servers of the tests."""
    for task in asyncio.all_tasks() - {*spared}:
        if task.get_name() != TASK_NAME and "RequestHandler" not in repr(task.get_coro()):
            task.cancel()


def lanes() -> list[asyncio.Task[Any]]:
    """Return the tasks of runs that work on items."""
    return [
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_stack()[0].f_locals.get("work"), "__name__", "") == "_process_items"
    ]


@pytest.mark.parametrize("journaled", [False, True])
async def test_a_run_whose_tasks_are_all_cancelled_raises_and_accounts_for_every_item(
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    outcomes: list[Outcome] = []
    read: list[int] = []

    def source() -> Any:  # noqa: ANN401 - a generator
        for number, item in enumerate(many(40)):
            read.append(number)
            yield item

    async with (
        RawServer(post=[as_asked, as_asked, then_hang()], get=listed()) as server,
        leak_checked_client(server, max_in_flight=8) as client,
    ):
        journal = tmp_path / "j" if journaled else None
        task = asyncio.create_task(collect(client, source(), outcomes, journal))
        await server.arrived(10)
        sweep(asyncio.current_task(), task)
        with pytest.raises(RuntimeError, match=OUTSIDE):
            await asyncio.wait_for(task, 5)
        await assert_nothing_left(client)

    assert sorted(outcome.index for outcome in outcomes) == read
    assert len(read) < 60
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert sum(isinstance(outcome, Created) for outcome in outcomes) == 2
    assert sum(isinstance(error, OutcomeUnknownError) for error in errors) == 8
    assert sum(isinstance(error, NotSentError) for error in errors) == len(read) - 10


async def test_one_lane_that_is_cancelled_is_enough(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    async with (
        RawServer(
            post=[then_hang(), as_asked],
            get=[listed(), listed(on_the_wire(new_restream("v0"), 5))],
        ) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        task = asyncio.create_task(collect(client, many(5), outcomes, tmp_path / "j"))
        await server.arrived()
        [lane] = lanes()
        lane.cancel()
        with pytest.raises(RuntimeError, match=OUTSIDE):
            await asyncio.wait_for(task, 5)
        # What was not sent is created by the next run without a look, and what was is looked for.
        report = await client.create_all(many(5), journal=tmp_path / "j")

    assert [type(outcome) for outcome in outcomes] == [Failed] * 4
    assert min(int(outcome.restream.id) for outcome in report.created) == 5
    assert server.counts == {"POST": 5, "GET": 3}


async def test_a_reader_that_is_cancelled_does_not_end_the_input_silently() -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[Any]:
        try:
            for item in many(3):
                yield item
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    outcomes: list[Outcome] = []
    async with RawServer(post=as_asked) as server, leak_checked_client(server) as client:
        task = asyncio.create_task(collect(client, source(), outcomes))
        await server.arrived(3)
        await asyncio.sleep(0.05)
        sweep(asyncio.current_task(), task)
        with pytest.raises(RuntimeError, match=OUTSIDE):
            await asyncio.wait_for(task, 5)

    assert [type(outcome) for outcome in outcomes] == [Created] * 3
    assert closed == [True]


async def test_the_look_at_the_end_that_is_cancelled_counts_as_unchecked() -> None:
    """Late commits of what was in doubt may not have been seen."""
    outcomes: list[Outcome] = []
    async with (
        RawServer(post=[INTERNAL_ERROR, created()], get=[listed(), then_hang()]) as server,
        leak_checked_client(server) as client,
    ):
        run = client.create_many([new_restream()])
        async with run:
            outcomes.append(await anext(run))
            await server.arrived(2, "GET")
            # Only the task that looks: a child of a task of the run.
            [look] = [
                task for task in asyncio.all_tasks() if "for_each.<locals>.take" in repr(task)
            ]
            look.cancel()
            with pytest.raises(RuntimeError, match=OUTSIDE):
                await asyncio.wait_for(anext(run), 5)

    assert (len(outcomes), run.unchecked) == (1, 1)


async def test_an_undo_whose_deletions_are_cancelled_raises_and_tells_of_each(
    tmp_path: Path,
) -> None:
    async with (
        RawServer(post=as_asked, delete=then_hang()) as server,
        leak_checked_client(server, max_in_flight=4) as client,
    ):
        await client.create_all(many(10), journal=tmp_path / "j")
        told: list[Undone] = []
        async with client.undo(tmp_path / "j") as undo:
            task = asyncio.create_task(undo.carry_out(told.append))
            await server.arrived(1, "DELETE")
            sweep(asyncio.current_task(), task)
            with pytest.raises(RuntimeError, match=OUTSIDE):
                await asyncio.wait_for(task, 5)

    errors = [type(undone.error) for undone in told]
    assert errors.count(OutcomeUnknownError) == server.counts["DELETE"]
    assert errors.count(NotSentError) == 4 - server.counts["DELETE"]


@pytest.mark.parametrize("max_in_flight", [1, 4, 8])
async def test_what_a_session_of_ones_own_raises_costs_no_item_its_outcome(
    max_in_flight: int,
) -> None:
    async def break_down(*_: object) -> None:
        # Meanwhile the next items are read.
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    watch = aiohttp.TraceConfig()
    watch.on_request_start.append(break_down)
    outcomes: list[Outcome] = []
    async with (
        RawServer() as server,
        aiohttp.ClientSession(trace_configs=[watch]) as session,
        leak_checked_client(server, session=session, max_in_flight=max_in_flight) as client,
    ):
        source = iter(many(20))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(collect(client, source, outcomes), 5)
        read = 20 - len(list(source))

    errors = [type(item.error) for item in outcomes if isinstance(item, Failed)]
    assert errors == [NotSentError] * read


class TestUnknown:
    """A block that is left early has no outcome for what was under way: it is counted."""

    async def test_what_was_sent_is_counted_and_what_was_only_read_is_not(
        self, tmp_path: Path
    ) -> None:
        async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
            run = client.create_many(many(200), journal=tmp_path / "j")
            async with run:
                await server.arrived(8)
            sent = server.counts["POST"]

        assert run.unknown == sent
        assert run.counts.failed == {}

    async def test_what_waits_for_a_retry_after_doubt_is_counted(self) -> None:
        async with (
            RawServer(post=INTERNAL_ERROR) as server,
            leak_checked_client(server, clock=FastClock(meanwhile=never)) as client,
        ):
            run = client.create_many(many(3))
            async with run:
                await server.arrived(3)
                await asyncio.sleep(0.05)

        assert run.unknown == 3
