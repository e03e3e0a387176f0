"""Bulk runs: outcomes as a stream, from input that may never end, in bounded memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from restream_async import Created, NewRestream, Origin
from restream_async.sandbox import Sandbox
from tests.helpers.bulk_inputs import KINDS, LATER, CountingInput, by_video, read_until_it_pauses
from tests.helpers.client_calls import outcomes_of
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client, settle
from tests.helpers.polling import until
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import as_asked, created, many, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from restream_async import Outcome, RestreamClient


@pytest.mark.parametrize("kind", KINDS)
async def test_outcomes_come_while_the_input_has_no_end(kind: str) -> None:
    source = CountingInput()
    async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=4) as client:
        outcomes: list[Outcome] = []
        async with client.create_many(source.input(kind)) as run:
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == 50:
                    break
        await assert_nothing_left(client)

    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert len({outcome.index for outcome in outcomes}) == 50
    assert source.pulled < 50 + 4 * 10


@pytest.mark.parametrize(
    "requests",
    [
        many(3),
        tuple(many(3)),
        dict.fromkeys(many(3)),
        (new for new in many(3)),
        CountingInput(3).items(),
    ],
    ids=["a list", "a tuple", "a dict", "a generator", "an async generator"],
)
async def test_any_iterable_will_do(requests: Iterable[NewRestream]) -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        outcomes = await outcomes_of(client, requests)

    assert sorted(outcome.index for outcome in outcomes) == [0, 1, 2]
    for outcome in outcomes:
        assert isinstance(outcome, Created)
        assert outcome.request.video_id == outcome.restream.video_id == f"v{outcome.index}"
        assert (outcome.attempts, outcome.origin) == (1, Origin.POSTED)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_input_ends_at_once(kind: str) -> None:
    async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
        assert await outcomes_of(client, CountingInput(0).input(kind)) == []


class TestLeaving:
    """Leaving the block early cancels what is in progress, and leaves nothing behind."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_a_break(self, kind: str) -> None:
        source = CountingInput()
        async with (
            RawServer(post=[as_asked, then_hang()]) as server,
            leak_checked_client(server) as client,
        ):
            async with client.create_many(source.input(kind)) as run:
                async for _ in run:
                    break
            await assert_nothing_left(client)

        assert source.closed

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_an_exception_which_arrives_as_it_is(self, kind: str) -> None:
        source = CountingInput()
        async with (
            RawServer(post=[as_asked, then_hang()]) as server,
            leak_checked_client(server) as client,
        ):

            async def leave() -> None:
                async with client.create_many(source.input(kind)) as run:
                    async for _ in run:
                        raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError) as caught:
                await leave()
            await assert_nothing_left(client)

        assert type(caught.value) is ZeroDivisionError
        assert source.closed

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_a_cancellation(self, kind: str) -> None:
        source = CountingInput()

        async def consume(client: RestreamClient) -> None:
            async with client.create_many(source.input(kind)) as run:
                async for _ in run:
                    pass

        async with (
            RawServer(post=[as_asked, then_hang()]) as server,
            leak_checked_client(server) as client,
        ):
            task = asyncio.create_task(consume(client))
            await server.arrived(8)
            task.cancel()
            await asyncio.wait([task], timeout=1)
            assert task.cancelled()
            await assert_nothing_left(client)

        assert source.closed

    async def test_by_a_time_out(self) -> None:
        async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.create_all(many(10))
            await assert_nothing_left(client)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_without_reading_any_outcome(self, kind: str) -> None:
        source = CountingInput()
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            async with client.create_many(source.input(kind)):
                pass
            await assert_nothing_left(client)

        assert sandbox.counts.in_flight == 0

    async def test_while_the_input_is_waited_for(self) -> None:
        closed: list[bool] = []

        async def stuck() -> AsyncIterator[NewRestream]:
            try:
                await asyncio.Event().wait()
                yield new_restream()
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
            async with client.create_many(stuck()):
                await settle()
            await assert_nothing_left(client)

        assert closed == [True]

    async def test_while_items_wait_for_their_retries(self) -> None:
        async with (
            RawServer(post=LATER) as server,
            leak_checked_client(server, clock=FastClock(meanwhile=never)) as client,
        ):
            async with client.create_many(many(5)):
                await server.arrived(5)
                await settle()
            await assert_nothing_left(client)

    async def test_while_items_wait_for_a_slot(self) -> None:
        async with (
            RawServer(post=then_hang()) as server,
            leak_checked_client(server, max_in_flight=1) as client,
        ):
            holder = asyncio.create_task(client.create(new_restream("holder")))
            await server.arrived(1)
            async with client.create_many(many(5)):
                await settle()
                assert client.stats().waiting == 1
            await settle()
            assert client.stats().waiting == 0
            holder.cancel()
            await asyncio.gather(holder, return_exceptions=True)

    async def test_so_that_a_drain_does_not_wait_for_it(self) -> None:
        async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
            async with client.create_many(many(5)):
                await server.arrived(5)
            async with asyncio.timeout(5):
                await client.drain(timeout=60)

    async def test_an_async_iterator_that_is_no_generator_is_left_alone(self) -> None:
        class Endless:
            def __aiter__(self) -> Endless:
                return self

            async def __anext__(self) -> NewRestream:
                return new_restream()

        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            async with client.create_many(Endless()) as run:
                await anext(run)
            await assert_nothing_left(client)


class TestEndingTheInput:
    """`end_input` reads no more; what was read is finished."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_what_is_in_progress_is_still_reported(self, kind: str) -> None:
        source = CountingInput()
        async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=3) as client:
            outcomes: list[Outcome] = []
            async with client.create_many(source.input(kind)) as run:
                async for outcome in run:
                    outcomes.append(outcome)
                    if len(outcomes) == 20:
                        run.end_input()

        assert all(isinstance(outcome, Created) for outcome in outcomes)
        assert len(outcomes) == sandbox.counts.posts == len(sandbox.stored)
        assert [outcome.index for outcome in sorted(outcomes, key=lambda o: o.index)] == list(
            range(len(outcomes))
        )

    @pytest.mark.parametrize("kind", KINDS)
    async def test_before_anything_is_read(self, kind: str) -> None:
        source = CountingInput()
        async with (
            leak_checked_client(RawServer(), base_url="https://api.example.com") as client,
            client.create_many(source.input(kind)) as run,
        ):
            run.end_input()
            run.end_input()
            assert [outcome async for outcome in run] == []

        assert source.pulled == 0

    async def test_while_the_input_is_waited_for_for_ever(self) -> None:
        async def stuck() -> AsyncIterator[NewRestream]:
            yield new_restream("v0")
            await asyncio.Event().wait()

        async with RawServer(post=as_asked) as server, leak_checked_client(server) as client:
            outcomes: list[Outcome] = []
            async with asyncio.timeout(1), client.create_many(stuck()) as run:
                async for outcome in run:
                    outcomes.append(outcome)
                    run.end_input()

        assert [outcome.index for outcome in outcomes] == [0]

    async def test_while_the_input_is_waited_for_and_then_leaving(self) -> None:
        async def stuck() -> AsyncIterator[NewRestream]:
            await asyncio.Event().wait()
            yield new_restream()

        async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
            async with client.create_many(stuck()) as run:
                await settle()
                run.end_input()
            await assert_nothing_left(client)

    async def test_while_items_wait_for_their_retries(self) -> None:
        async def meanwhile() -> None:
            run.end_input()

        steps = by_video(v0=[LATER, created(new_restream("v0"))])
        async with (
            RawServer(post=steps) as server,
            leak_checked_client(
                server, max_in_flight=1, clock=FastClock(meanwhile=meanwhile)
            ) as client,
        ):
            run = client.create_many(CountingInput())
            async with run:
                outcomes = [outcome async for outcome in run]

        assert 0 in {outcome.index for outcome in outcomes}
        assert len(outcomes) == server.counts["POST"] - 1

    async def test_while_the_consumer_is_slow(self) -> None:
        async with (
            Sandbox() as sandbox,
            leak_checked_client(sandbox, max_in_flight=2) as client,
            client.create_many(CountingInput()) as run,
        ):
            await asyncio.sleep(0.05)
            run.end_input()
            outcomes = [outcome async for outcome in run]

        assert len(outcomes) == sandbox.counts.posts

    async def test_what_was_read_is_created_although_the_consumer_takes_nothing(self) -> None:
        source = CountingInput()
        async with (
            Sandbox() as sandbox,
            leak_checked_client(sandbox, max_in_flight=2) as client,
            client.create_many(source) as run,
        ):
            read = await read_until_it_pauses(source)
            assert sandbox.counts.posts < read
            run.end_input()
            await until(lambda: len(sandbox.stored) == read, 5)

    @pytest.mark.parametrize("pause", [False, True])
    async def test_by_the_input_itself(self, pause: bool) -> None:  # noqa: FBT001 - a parameter
        """The item that it gives after all is created, and reported."""

        async def source() -> AsyncIterator[NewRestream]:
            yield new_restream("v0")
            if pause:
                await asyncio.sleep(0.01)
            run.end_input()
            yield new_restream("v1")
            yield new_restream("never read")

        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            run = client.create_many(source())
            async with run:
                outcomes = [outcome async for outcome in run]
            await asyncio.sleep(0.005)

        assert [stored.video_id for stored in sandbox.stored] == ["v0", "v1"]
        assert sorted(outcome.index for outcome in outcomes) == [0, 1]

    async def test_by_an_ordinary_input_itself(self) -> None:
        def source() -> Iterator[NewRestream]:
            yield new_restream("v0")
            run.end_input()
            yield new_restream("v1")
            yield new_restream("never read")

        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            run = client.create_many(source())
            async with run:
                outcomes = [outcome async for outcome in run]

        assert len(outcomes) == len(sandbox.stored) == 2

    async def test_an_input_that_gives_a_last_item_when_interrupted_is_heard(self) -> None:
        async def source() -> AsyncIterator[NewRestream]:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield new_restream("last")

        async with (
            Sandbox() as sandbox,
            leak_checked_client(sandbox) as client,
            client.create_many(source()) as run,
        ):
            await settle()
            run.end_input()
            outcomes = [outcome async for outcome in run]

        assert len(outcomes) == len(sandbox.stored) == 1


async def test_a_run_can_be_entered_only_once() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        run = client.create_many(many(1))
        async with run:
            with pytest.raises(RuntimeError, match="call create_many again"):
                await run.__aenter__()
            assert len([outcome async for outcome in run]) == 1
        with pytest.raises(RuntimeError, match="can be entered once"):
            async with run:
                raise AssertionError("entered")


async def test_a_run_that_was_not_entered_cannot_be_iterated_over() -> None:
    async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
        run = client.create_many(many(1))
        with pytest.raises(RuntimeError, match="enter the run first"):
            await anext(run)


async def test_an_ended_run_stays_ended() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        async with client.create_many(many(2)) as run:
            assert len([outcome async for outcome in run]) == 2
            assert [outcome async for outcome in run] == []
        assert [outcome async for outcome in run] == []


async def test_a_client_does_not_keep_a_run_that_was_left() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        async with client.create_many(many(2)) as run:
            await run.report()
        left = weakref.ref(run)
        del run
        gc.collect()
        assert left() is None
