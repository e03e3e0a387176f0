"""Bulk runs: outcomes as a stream, from input that may never end, in bounded memory."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import weakref
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import BadRequestError, Created, Failed, NewRestream, Origin
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.client_calls import collect, outcomes_of
from tests.helpers.fast_clock import FastClock
from tests.helpers.leak_checks import assert_nothing_left, client_of, settle
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import answer, as_asked, created, many, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from restream_async import Outcome, RestreamClient

# Not done, and to be sent again; unlike a 429 it does not slow down the whole client.
LATER: Final = answer(b"", "425 Too Early")
NO: Final = answer(b"no", "400 Bad Request")


class Reader:
    """An input that counts how far it was read."""

    def __init__(self, count: int | None = None) -> None:
        self.pulled = 0
        self.closed = False
        self._count = count

    def __iter__(self) -> Iterator[NewRestream]:
        numbers = itertools.count() if self._count is None else range(self._count)
        try:
            for number in numbers:
                self.pulled += 1
                yield new_restream(f"v{number}")
        finally:
            self.closed = True

    async def items(self) -> AsyncIterator[NewRestream]:
        for new in self:
            yield new

    def input(self, kind: str) -> Any:  # noqa: ANN401 - sync or async
        return iter(self) if kind == "sync" else self.items()


KINDS: Final = ["sync", "async"]


def by_video(**steps: bytes | list[bytes]) -> Any:  # noqa: ANN401 - a step
    """Answer each video as it is told; others are created. The last answer repeats."""
    seen: dict[str, int] = {}

    async def act(peer: Peer, request: Seen) -> None:
        body = json.loads(request.body)
        video = body["videoId"]
        script = steps.get(video, created(new_restream(video)))
        if isinstance(script, list):
            seen[video] = seen.get(video, 0) + 1
            script = script[min(seen[video], len(script)) - 1]
        await peer.write(script)

    return act


async def quiet(reader: Reader) -> int:
    """Wait until nothing is read any more, and return how much was."""
    before = -1
    while before != reader.pulled:
        before = reader.pulled
        await asyncio.sleep(0.01)
    return before


@pytest.mark.parametrize("kind", KINDS)
async def test_outcomes_come_while_the_input_has_no_end(kind: str) -> None:
    reader = Reader()
    async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=4) as client:
        outcomes: list[Outcome] = []
        async with client.create_many(reader.input(kind)) as run:
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == 50:
                    break
        await assert_nothing_left(client)

    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert len({outcome.index for outcome in outcomes}) == 50
    assert reader.pulled < 50 + 4 * 10


@pytest.mark.parametrize(
    "requests",
    [
        many(3),
        tuple(many(3)),
        dict.fromkeys(many(3)),
        (new for new in many(3)),
        Reader(3).items(),
    ],
    ids=["a list", "a tuple", "a dict", "a generator", "an async generator"],
)
async def test_any_iterable_will_do(requests: Iterable[NewRestream]) -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        outcomes = await outcomes_of(client, requests)

    assert sorted(outcome.index for outcome in outcomes) == [0, 1, 2]
    for outcome in outcomes:
        assert isinstance(outcome, Created)
        assert outcome.request.video_id == outcome.restream.video_id == f"v{outcome.index}"
        assert (outcome.attempts, outcome.origin) == (1, Origin.POSTED)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_input_ends_at_once(kind: str) -> None:
    async with client_of(RawServer(), base_url="https://api.example.com") as client:
        assert await outcomes_of(client, Reader(0).input(kind)) == []


async def test_outcomes_come_in_the_order_in_which_they_finish() -> None:
    late = asyncio.Event()

    async def act(peer: Peer, request: Seen) -> None:
        if b'"v0"' in request.body:
            await late.wait()
        await as_asked(peer, request)

    async with RawServer(post=act) as server, client_of(server) as client:
        indexes: list[int] = []
        async with client.create_many(many(3)) as run:
            async for outcome in run:
                indexes.append(outcome.index)
                if len(indexes) == 2:
                    late.set()

    assert indexes[2] == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failed_item_stops_nobody_else(kind: str) -> None:
    steps = by_video(v1=NO, v4=[LATER, NO])
    async with RawServer(post=steps) as server, client_of(server, max_in_flight=2) as client:
        outcomes = await outcomes_of(client, Reader(6).input(kind))

    failed = {outcome.index: outcome for outcome in outcomes if isinstance(outcome, Failed)}
    assert len(outcomes) == 6
    assert sorted(failed) == [1, 4]
    assert [failed[index].attempts for index in (1, 4)] == [1, 2]
    assert [failed[index].request.video_id for index in (1, 4)] == ["v1", "v4"]
    for outcome in failed.values():
        assert type(outcome.error) is BadRequestError
        assert outcome.error.attempts == outcome.attempts


class TestRoom:
    """The input is read only when there is room, and what is kept is bounded."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_only_as_much_is_read_as_can_be_in_flight(self, kind: str) -> None:
        reader = Reader()
        async with (
            RawServer(post=then_hang()) as server,
            client_of(server, max_in_flight=3) as client,
        ):
            async with client.create_many(reader.input(kind)):
                await server.arrived(3)
                assert 3 <= await quiet(reader) <= 3 + 1
            await assert_nothing_left(client)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_nothing_is_read_before_the_block_is_entered(self, kind: str) -> None:
        reader = Reader(2)
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            run = client.create_many(reader.input(kind))
            await asyncio.sleep(0.005)
            assert (reader.pulled, sandbox.counts.posts) == (0, 0)
            async with run:
                assert len([outcome async for outcome in run]) == 2

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_slow_consumer_is_waited_for(self, kind: str) -> None:
        reader = Reader()
        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=2) as client:
            async with client.create_many(reader.input(kind)) as run:
                first = await quiet(reader)
                assert first <= 2 * 5 * 2 + 2
                for _ in range(15):
                    await anext(run)
                assert first < await quiet(reader) <= first + 2 * 5 * 2 + 2
            await assert_nothing_left(client)

    async def test_what_is_done_is_not_kept(self) -> None:
        alive: weakref.WeakSet[NewRestream] = weakref.WeakSet()
        most = 0

        def endless() -> Iterator[NewRestream]:
            for new in Reader():
                alive.add(new)
                yield new

        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=4) as client:
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

        async def sleep(_: float) -> None:
            await due.wait()

        steps = by_video(v0=[LATER, created(new_restream("v0"))])
        async with (
            RawServer(post=steps) as server,
            client_of(server, max_in_flight=1, clock=Clock(sleep=sleep)) as client,
        ):
            indexes: list[int] = []
            async with client.create_many(Reader(4).input(kind)) as run:
                async for outcome in run:
                    indexes.append(outcome.index)
                    if len(indexes) == 3:
                        due.set()

        assert indexes == [1, 2, 3, 0]

    @pytest.mark.parametrize("kind", KINDS)
    async def test_the_items_that_wait_for_a_retry_are_bounded(self, kind: str) -> None:
        async def never(_: float) -> None:
            await asyncio.Event().wait()

        reader = Reader()
        async with (
            RawServer(post=LATER) as server,
            client_of(server, max_in_flight=2, clock=Clock(sleep=never)) as client,
        ):
            async with client.create_many(reader.input(kind)):
                assert 2 < await quiet(reader) <= 2 * 5 + 1
            await assert_nothing_left(client)

    async def test_an_input_that_is_waited_for_holds_no_place(self) -> None:
        """With one place, a retry must get through while the next item takes its time."""
        blocked = asyncio.Event()

        async def slow() -> AsyncIterator[NewRestream]:
            yield new_restream("v0")
            await blocked.wait()
            yield new_restream("v1")

        steps = by_video(v0=[LATER, LATER, created(new_restream("v0"))])
        async with (
            RawServer(post=steps) as server,
            client_of(server, max_in_flight=1) as client,
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

        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=1) as client:
            async with client.create_many(stuck()):
                await settle()
                restream = await asyncio.wait_for(client.create(new_restream("other")), 1)
            assert restream.video_id == "other"

    async def test_two_runs_share_the_places_of_their_client(self) -> None:
        async with (
            Sandbox(latency=0.001) as sandbox,
            client_of(sandbox, max_in_flight=3) as client,
        ):
            runs = await asyncio.gather(
                outcomes_of(client, many(20)), outcomes_of(client, many(20, first=20))
            )

        assert [len(outcomes) for outcomes in runs] == [20, 20]
        assert sandbox.counts.max_in_flight == 3


class TestLeaving:
    """Leaving the block early cancels what is under way, and leaves nothing behind."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_a_break(self, kind: str) -> None:
        reader = Reader()
        async with RawServer(post=[as_asked, then_hang()]) as server, client_of(server) as client:
            async with client.create_many(reader.input(kind)) as run:
                async for _ in run:
                    break
            await assert_nothing_left(client)

        assert reader.closed

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_an_exception_which_arrives_as_it_is(self, kind: str) -> None:
        reader = Reader()
        async with RawServer(post=[as_asked, then_hang()]) as server, client_of(server) as client:

            async def leave() -> None:
                async with client.create_many(reader.input(kind)) as run:
                    async for _ in run:
                        raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError) as caught:
                await leave()
            await assert_nothing_left(client)

        assert type(caught.value) is ZeroDivisionError
        assert reader.closed

    @pytest.mark.parametrize("kind", KINDS)
    async def test_by_a_cancellation(self, kind: str) -> None:
        reader = Reader()

        async def consume(client: RestreamClient) -> None:
            async with client.create_many(reader.input(kind)) as run:
                async for _ in run:
                    pass

        async with RawServer(post=[as_asked, then_hang()]) as server, client_of(server) as client:
            task = asyncio.create_task(consume(client))
            await server.arrived(8)
            task.cancel()
            await asyncio.wait([task], timeout=1)
            assert task.cancelled()
            await assert_nothing_left(client)

        assert reader.closed

    async def test_by_a_time_out(self) -> None:
        async with RawServer(post=then_hang()) as server, client_of(server) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.create_all(many(10))
            await assert_nothing_left(client)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_without_reading_any_outcome(self, kind: str) -> None:
        reader = Reader()
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            async with client.create_many(reader.input(kind)):
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

        async with client_of(RawServer(), base_url="https://api.example.com") as client:
            async with client.create_many(stuck()):
                await settle()
            await assert_nothing_left(client)

        assert closed == [True]

    async def test_while_items_wait_for_their_retries(self) -> None:
        async def never(_: float) -> None:
            await asyncio.Event().wait()

        async with (
            RawServer(post=LATER) as server,
            client_of(server, clock=Clock(sleep=never)) as client,
        ):
            async with client.create_many(many(5)):
                await server.arrived(5)
                await settle()
            await assert_nothing_left(client)

    async def test_while_items_wait_for_a_place(self) -> None:
        async with (
            RawServer(post=then_hang()) as server,
            client_of(server, max_in_flight=1) as client,
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

    async def test_an_async_iterator_that_is_no_generator_is_left_alone(self) -> None:
        class Endless:
            def __aiter__(self) -> Endless:
                return self

            async def __anext__(self) -> NewRestream:
                return new_restream()

        async with Sandbox() as sandbox, client_of(sandbox) as client:
            async with client.create_many(Endless()) as run:
                await anext(run)
            await assert_nothing_left(client)


class TestEndingTheInput:
    """`end_input` reads no more; what was read is finished."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_what_is_under_way_is_still_reported(self, kind: str) -> None:
        reader = Reader()
        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=3) as client:
            outcomes: list[Outcome] = []
            async with client.create_many(reader.input(kind)) as run:
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
        reader = Reader()
        async with (
            client_of(RawServer(), base_url="https://api.example.com") as client,
            client.create_many(reader.input(kind)) as run,
        ):
            run.end_input()
            run.end_input()
            assert [outcome async for outcome in run] == []

        assert reader.pulled == 0

    async def test_while_the_input_is_waited_for_for_ever(self) -> None:
        async def stuck() -> AsyncIterator[NewRestream]:
            yield new_restream("v0")
            await asyncio.Event().wait()

        async with RawServer(post=as_asked) as server, client_of(server) as client:
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

        async with client_of(RawServer(), base_url="https://api.example.com") as client:
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
            client_of(server, max_in_flight=1, clock=FastClock(meanwhile=meanwhile)) as client,
        ):
            run = client.create_many(Reader())
            async with run:
                outcomes = [outcome async for outcome in run]

        assert 0 in {outcome.index for outcome in outcomes}
        assert len(outcomes) == server.counts["POST"] - 1

    async def test_while_the_consumer_is_slow(self) -> None:
        async with (
            Sandbox() as sandbox,
            client_of(sandbox, max_in_flight=2) as client,
            client.create_many(Reader()) as run,
        ):
            await asyncio.sleep(0.05)
            run.end_input()
            outcomes = [outcome async for outcome in run]

        assert len(outcomes) == sandbox.counts.posts

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

        async with Sandbox() as sandbox, client_of(sandbox) as client:
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

        async with Sandbox() as sandbox, client_of(sandbox) as client:
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
            client_of(sandbox) as client,
            client.create_many(source()) as run,
        ):
            await settle()
            run.end_input()
            outcomes = [outcome async for outcome in run]

        assert len(outcomes) == len(sandbox.stored) == 1


class TestInput:
    """What the input raises surfaces, after the outcomes of what it gave before."""

    @staticmethod
    def breaking(kind: str, error: BaseException, after: int = 3) -> Any:  # noqa: ANN401 - sync or async
        def items() -> Iterator[NewRestream]:
            yield from many(after)
            raise error

        async def async_items() -> AsyncIterator[NewRestream]:
            for new in many(after):
                yield new
            raise error

        return items() if kind == "sync" else async_items()

    @pytest.mark.parametrize("after", [0, 3])
    @pytest.mark.parametrize("kind", KINDS)
    async def test_an_exception_comes_last_and_as_it_is(self, kind: str, after: int) -> None:
        error = ZeroDivisionError("the file ends here")
        outcomes: list[Outcome] = []
        async with Sandbox(latency=0.002) as sandbox, client_of(sandbox) as client:
            with pytest.raises(ZeroDivisionError) as caught:
                await collect(client, self.breaking(kind, error, after), outcomes)
            await assert_nothing_left(client)

        assert caught.value is error
        assert sorted(outcome.index for outcome in outcomes) == list(range(after))
        assert len(sandbox.stored) == after

    @pytest.mark.parametrize("kind", KINDS)
    async def test_it_is_raised_once(self, kind: str) -> None:
        async with (
            Sandbox() as sandbox,
            client_of(sandbox) as client,
            client.create_many(self.breaking(kind, ZeroDivisionError(), 0)) as run,
        ):
            with pytest.raises(ZeroDivisionError):
                await anext(run)
            with pytest.raises(StopAsyncIteration):
                await anext(run)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_create_all_raises_it_as_it_is(self, kind: str) -> None:
        error = ZeroDivisionError()
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            with pytest.raises(ZeroDivisionError) as caught:
                await client.create_all(self.breaking(kind, error))

        assert caught.value is error

    async def test_create_all_tells_how_many_outcomes_are_lost_with_it(self) -> None:
        def items() -> Iterator[NewRestream]:
            yield from many(3)
            raise ZeroDivisionError

        steps = by_video(v1=NO)
        async with RawServer(post=steps) as server, client_of(server) as client:
            with pytest.raises(ZeroDivisionError) as caught:
                await client.create_all(items())

        [note] = caught.value.__notes__
        assert note.startswith("before that, 2 restreams were created or found and 1 failed; ")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_cancellation_of_its_own_does_not_pass_for_its_end(self, kind: str) -> None:
        """It waited for something that was cancelled: half of the input would be missing."""
        outcomes: list[Outcome] = []
        breaking = self.breaking(kind, asyncio.CancelledError())
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            with pytest.raises(RuntimeError, match="the input was cancelled"):
                await collect(client, breaking, outcomes)
            await assert_nothing_left(client)

        assert len(outcomes) == 3

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("item", ["v1", None, {"videoId": "v1"}, 7], ids=repr)
    async def test_what_is_no_restream_is_a_type_error_that_names_its_place(
        self, item: object, kind: str
    ) -> None:
        def items() -> Iterator[Any]:
            yield from [*many(2), item, *many(2)]

        async def async_items() -> AsyncIterator[Any]:
            for new in items():
                yield new

        outcomes: list[Outcome] = []
        async with Sandbox() as sandbox, client_of(sandbox) as client:
            with pytest.raises(TypeError, match="item 2 of the input is a") as caught:
                await collect(client, items() if kind == "sync" else async_items(), outcomes)

        assert type(item).__name__ in str(caught.value)
        assert len(outcomes) == sandbox.counts.posts == 2

    @pytest.mark.parametrize("wrong", [None, 7, new_restream()], ids=["None", "a number", "one"])
    async def test_what_cannot_be_iterated_over_is_a_type_error_at_once(
        self,
        wrong: Any,  # noqa: ANN401 - anything
    ) -> None:
        async with client_of(RawServer(), base_url="https://api.example.com") as client:
            with pytest.raises(TypeError, match="not iterable"):
                client.create_many(wrong)

    async def test_the_run_of_a_broken_input_leaves_the_client_whole(self) -> None:
        async with Sandbox() as sandbox, client_of(sandbox, max_in_flight=1) as client:
            for kind, error in itertools.product(KINDS, [KeyError("x"), asyncio.CancelledError()]):
                with pytest.raises((KeyError, RuntimeError)):
                    await client.create_all(self.breaking(kind, error))
            restream = await asyncio.wait_for(client.create(new_restream("after")), 1)

        assert restream.video_id == "after"


async def test_a_run_can_be_entered_only_once() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        run = client.create_many(many(1))
        async with run:
            with pytest.raises(RuntimeError, match="call create_many again"):
                await run.__aenter__()
            assert len([outcome async for outcome in run]) == 1
        with pytest.raises(RuntimeError, match="can be entered once"):
            async with run:
                raise AssertionError("entered")


async def test_a_run_that_was_not_entered_cannot_be_iterated_over() -> None:
    async with client_of(RawServer(), base_url="https://api.example.com") as client:
        run = client.create_many(many(1))
        with pytest.raises(RuntimeError, match="enter the run first"):
            await anext(run)


async def test_an_ended_run_stays_ended() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        async with client.create_many(many(2)) as run:
            assert len([outcome async for outcome in run]) == 2
            assert [outcome async for outcome in run] == []
        assert [outcome async for outcome in run] == []


async def test_two_tasks_can_share_the_outcomes_of_a_run() -> None:
    async with Sandbox(latency=0.001) as sandbox, client_of(sandbox) as client:
        shares: list[list[int]] = [[], []]
        async with client.create_many(many(40)) as run:

            async def consume(share: list[int]) -> None:
                async for outcome in run:
                    share.append(outcome.index)
                    await asyncio.sleep(0)

            await asyncio.gather(*map(consume, shares))

    assert sorted(shares[0] + shares[1]) == list(range(40))


async def test_an_outcome_is_not_lost_when_waiting_for_it_is_given_up() -> None:
    async with Sandbox(latency=0.01) as sandbox, client_of(sandbox) as client:
        indexes: list[int] = []
        async with client.create_many(many(5)) as run:
            while True:
                try:
                    async with asyncio.timeout(0.002):
                        indexes.append((await anext(run)).index)
                except TimeoutError:
                    continue
                except StopAsyncIteration:
                    break

    assert sorted(indexes) == list(range(5))
