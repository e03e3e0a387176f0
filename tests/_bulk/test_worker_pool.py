"""Worker tasks: as many as there are slots and waiting items, within bounds."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from restream_async._bulk.worker_pool import WorkerPool
from restream_async.sandbox import Sandbox
from tests.helpers.bulk_inputs import KINDS, LATER, CountingInput, by_video, read_until_it_pauses
from tests.helpers.client_calls import outcomes_of
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client, settle
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import created, many, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from restream_async import NewRestream


@pytest.mark.parametrize(("tasks", "started"), [(0, 0), (1, 1), (2, 1), (3, 0)])
def test_a_run_has_no_more_tasks_than_it_may(tasks: int, started: int) -> None:
    start = Mock()
    pool = WorkerPool(
        Mock(has_slot=True), Mock(ready=[1]), Mock(), most=3, tasks=[Mock()] * tasks, start=start
    )
    pool.add_worker()
    assert start.call_count == started


@pytest.mark.parametrize(("slot", "ready"), [(False, [1]), (True, []), (False, [])])
def test_no_worker_is_started_without_an_item_and_a_slot(slot: bool, ready: list[int]) -> None:  # noqa: FBT001 - a parameter
    start = Mock()
    limiter, source = Mock(has_slot=slot), Mock(ready=ready)
    WorkerPool(limiter, source, Mock(), most=3, tasks=[Mock()], start=start).add_worker()
    assert start.call_count == 0


def test_no_worker_is_started_while_another_one_has_no_item() -> None:
    start = Mock()
    limiter, source = Mock(has_slot=True), Mock(ready=[1, 2])
    pool = WorkerPool(limiter, source, Mock(), most=3, tasks=[Mock()], start=start)
    pool.add_worker()
    pool.add_worker()
    assert start.call_count == 1


class TestRoom:
    """The input is read only when there is room, and what is kept is bounded."""

    @pytest.mark.parametrize("slots", [2, 3])
    @pytest.mark.parametrize("kind", KINDS)
    async def test_only_as_much_is_read_as_can_be_in_flight(self, kind: str, slots: int) -> None:
        source = CountingInput()
        async with (
            RawServer(post=then_hang()) as server,
            leak_checked_client(server, max_in_flight=slots) as client,
        ):
            async with client.create_many(source.input(kind)):
                await server.arrived(slots)
                assert slots <= await read_until_it_pauses(source) <= slots + 1
            await assert_nothing_left(client)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_nothing_is_read_before_the_block_is_entered(self, kind: str) -> None:
        source = CountingInput(2)
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            run = client.create_many(source.input(kind))
            await asyncio.sleep(0.005)
            assert (source.pulled, sandbox.counts.posts) == (0, 0)
            async with run:
                assert len([outcome async for outcome in run]) == 2

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_slow_consumer_is_waited_for(self, kind: str) -> None:
        source = CountingInput()
        async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=2) as client:
            async with client.create_many(source.input(kind)) as run:
                first = await read_until_it_pauses(source)
                assert first <= 2 * 5 * 2 + 2
                for _ in range(15):
                    await anext(run)
                assert first < await read_until_it_pauses(source) <= first + 2 * 5 * 2 + 2
            await assert_nothing_left(client)

    async def test_what_is_done_is_not_kept(self) -> None:
        alive: weakref.WeakSet[NewRestream] = weakref.WeakSet()
        most = 0

        def endless() -> Iterator[NewRestream]:
            for new in CountingInput():
                alive.add(new)
                yield new

        async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=4) as client:
            seen = 0
            async with client.create_many(endless()) as run:
                async for _ in run:
                    seen += 1
                    if seen % 100 == 0:
                        gc.collect()
                        most = max(most, len(alive))
                    if seen == 1000:
                        break

        assert most <= 2 * 5 * 4 + 4

    @pytest.mark.parametrize("kind", KINDS)
    async def test_an_item_that_waits_for_a_retry_lets_others_pass(self, kind: str) -> None:
        due = asyncio.Event()

        steps = by_video(v0=[LATER, created(new_restream("v0"))])
        async with (
            RawServer(post=steps) as server,
            leak_checked_client(
                server, max_in_flight=1, clock=FastClock(meanwhile=due.wait)
            ) as client,
        ):
            indexes: list[int] = []
            async with client.create_many(CountingInput(4).input(kind)) as run:
                async for outcome in run:
                    indexes.append(outcome.index)
                    if len(indexes) == 3:
                        due.set()

        assert indexes == [1, 2, 3, 0]

    @pytest.mark.parametrize("kind", KINDS)
    async def test_the_items_that_wait_for_a_retry_are_bounded(self, kind: str) -> None:
        source = CountingInput()
        async with (
            RawServer(post=LATER) as server,
            leak_checked_client(
                server, max_in_flight=2, clock=FastClock(meanwhile=never)
            ) as client,
        ):
            async with client.create_many(source.input(kind)):
                assert 2 < await read_until_it_pauses(source) <= 2 * 5 + 1
            await assert_nothing_left(client)

    async def test_an_input_that_is_waited_for_holds_no_slot(self) -> None:
        """With one slot, a retry must get through while the next item takes its time."""
        blocked = asyncio.Event()

        async def slow() -> AsyncIterator[NewRestream]:
            yield new_restream("v0")
            await blocked.wait()
            yield new_restream("v1")

        steps = by_video(v0=[LATER, LATER, created(new_restream("v0"))])
        async with (
            RawServer(post=steps) as server,
            leak_checked_client(server, max_in_flight=1) as client,
            client.create_many(slow()) as run,
        ):
            first = await asyncio.wait_for(anext(run), 1)
            assert not blocked.is_set()
            assert (first.index, first.attempts) == (0, 3)
            blocked.set()
            assert (await anext(run)).index == 1

    async def test_an_input_that_is_waited_for_leaves_the_client_to_others(self) -> None:
        async def stuck() -> AsyncIterator[NewRestream]:
            await asyncio.Event().wait()
            yield new_restream()

        async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=1) as client:
            async with client.create_many(stuck()):
                await settle()
                restream = await asyncio.wait_for(client.create(new_restream("other")), 1)
            assert restream.video_id == "other"

    async def test_two_runs_share_the_slots_of_their_client(self) -> None:
        async with (
            Sandbox(latency=0.001) as sandbox,
            leak_checked_client(sandbox, max_in_flight=3) as client,
        ):
            runs = await asyncio.gather(
                outcomes_of(client, many(20)), outcomes_of(client, many(20, first=20))
            )

        assert [len(outcomes) for outcomes in runs] == [20, 20]
        assert sandbox.counts.max_in_flight == 3
