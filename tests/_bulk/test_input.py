"""The caller's iterator is driven by one task, in one context, from its start to its closing."""

from __future__ import annotations

import asyncio
import itertools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import Created, Failed, NewRestream, NotSentError
from restream_async._bulk.input import InputReader
from restream_async.sandbox import Sandbox
from tests.helpers.bulk_inputs import KINDS, NO, by_video
from tests.helpers.client_calls import collect
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client, settle
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import as_asked, many, new_restream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from restream_async import NewRestream, Outcome

JOURNALED: Final = pytest.mark.parametrize("journaled", [False, True], ids=["plain", "journal"])
HERE: ContextVar[int] = ContextVar("HERE", default=0)


class Witness:
    """An input that sees who drives it."""

    def __init__(self, count: int) -> None:
        self.tasks: set[asyncio.Task[object] | None] = set()
        self.closed = 0
        self._count = count

    def sync(self) -> Iterator[NewRestream]:
        token = HERE.set(1)
        try:
            for new in many(self._count):
                self.tasks.add(asyncio.current_task())
                assert HERE.get() == 1
                inner = HERE.set(2)
                yield new
                HERE.reset(inner)
        finally:
            self.tasks.add(asyncio.current_task())
            HERE.reset(token)
            self.closed += 1

    async def asynchronous(self) -> AsyncIterator[NewRestream]:
        for new in self.sync():
            await asyncio.sleep(0)
            yield new

    def input(self, kind: str) -> Any:  # noqa: ANN401 - sync or async
        return self.sync() if kind == "sync" else self.asynchronous()


@JOURNALED
@pytest.mark.parametrize("kind", KINDS)
async def test_one_task_and_one_context_drive_it_to_its_end(
    kind: str,
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    witness = Witness(50)
    async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=4) as client:
        journal = tmp_path / "j" if journaled else None
        report = await client.create_all(witness.input(kind), journal=journal)

    assert len(report.created) == 50
    assert (len(witness.tasks), witness.closed) == (1, 1)


@JOURNALED
@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_task_closes_it_on_an_early_exit(
    kind: str,
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    witness = Witness(10_000)
    async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=4) as client:
        journal = tmp_path / "j" if journaled else None
        async with client.create_many(witness.input(kind), journal=journal) as run:
            await anext(run)
        await assert_nothing_left(client)

    assert (len(witness.tasks), witness.closed) == (1, 1)


async def test_what_closing_it_raises_is_reported() -> None:
    def source() -> Iterator[NewRestream]:
        try:
            yield from many(100)
        finally:
            raise LookupError("no end")

    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox, max_in_flight=1) as client,
        client.create_many(source()) as run,
    ):
        await anext(run)
        run.stop()
        with pytest.raises(LookupError, match="no end"):
            await run.report()


async def test_a_time_out_around_its_yields_cancels_nothing_but_itself() -> None:
    """The input is waited for by one task, which sends nothing."""

    async def slow(peer: Peer, seen: Seen) -> None:
        await asyncio.sleep(0.05)
        await as_asked(peer, seen)

    async def source() -> AsyncIterator[NewRestream]:
        async with asyncio.timeout(0.12):
            for new in many(1000):
                yield new

    outcomes: list[Outcome] = []
    async with (
        RawServer(post=slow) as server,
        leak_checked_client(server, max_in_flight=4) as client,
    ):
        with pytest.raises(TimeoutError):
            await collect(client, source(), outcomes)
        await assert_nothing_left(client)

    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert sorted(outcome.index for outcome in outcomes) == list(range(server.counts["POST"]))
    assert 4 <= len(outcomes) < 50


async def test_an_input_whose_time_out_is_over_may_go_on() -> None:
    async def source() -> AsyncIterator[NewRestream]:
        try:
            async with asyncio.timeout(0.02):
                for number in range(1000):
                    yield new_restream(f"v{number}")
        except TimeoutError:
            yield new_restream("after")

    async def slow(peer: Peer, seen: Seen) -> None:
        await asyncio.sleep(0.01)
        await as_asked(peer, seen)

    outcomes: list[Outcome] = []
    async with (
        RawServer(post=slow) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        await collect(client, source(), outcomes)

    assert outcomes[-1].request.video_id == "after"
    assert all(isinstance(outcome, Created) for outcome in outcomes)


class Sloppy:
    """An iterator that forgets to catch the end of something else."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __iter__(self) -> Sloppy:
        return self

    def __next__(self) -> NewRestream:
        raise self._error


class AsyncSloppy(Sloppy):
    def __aiter__(self) -> AsyncSloppy:
        return self

    def __anext__(self) -> Any:  # noqa: ANN401 - an awaitable, if it did not raise
        raise self._error


class TestAnEndByMistake:
    """An exception that means the end in another protocol is an error."""

    async def test_of_an_async_iterator(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(RuntimeError, match="StopIteration"):
                await client.create_all(AsyncSloppy(StopIteration))

    async def test_of_an_ordinary_iterator(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(RuntimeError, match="the input raised StopAsyncIteration"):
                await client.create_all(Sloppy(StopAsyncIteration))

    @pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
    @pytest.mark.parametrize("kind", KINDS)
    async def test_of_a_generator(self, kind: str, error: type[Exception]) -> None:
        def sync() -> Iterator[NewRestream]:
            yield new_restream()
            raise error

        async def asynchronous() -> AsyncIterator[NewRestream]:
            yield new_restream()
            raise error

        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(RuntimeError, match=error.__name__):
                await client.create_all(sync() if kind == "sync" else asynchronous())
        assert len(sandbox.stored) == 1


@JOURNALED
async def test_an_input_that_was_cancelled_by_itself_is_an_error(
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    """Raised as it is, it would look like a cancellation of the consumer."""

    async def source() -> AsyncIterator[NewRestream]:
        yield new_restream()
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    outcomes: list[Outcome] = []
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        journal = tmp_path / "j" if journaled else None
        task = asyncio.create_task(collect(client, source(), outcomes, journal))
        await asyncio.wait([task])

    assert not task.cancelled()
    error = task.exception()
    assert isinstance(error, RuntimeError)
    assert str(error) == "the input was cancelled"
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert [type(outcome) for outcome in outcomes] == [Created]


async def test_stopping_ends_the_wait_for_an_item_and_no_request() -> None:
    async def source() -> AsyncIterator[NewRestream]:
        yield new_restream("v0")
        await asyncio.Event().wait()

    answer = asyncio.Event()

    async def later(peer: Peer, seen: Seen) -> None:
        await answer.wait()
        await as_asked(peer, seen)

    async with (
        asyncio.timeout(5),
        RawServer(post=later) as server,
        leak_checked_client(server) as client,
        client.create_many(source()) as run,
    ):
        await server.arrived()
        run.stop()
        await settle()
        answer.set()
        outcomes = [outcome async for outcome in run]

    assert [type(outcome) for outcome in outcomes] == [Created]


@JOURNALED
async def test_an_item_that_comes_although_the_run_was_stopped_is_reported(
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    async def source() -> AsyncIterator[NewRestream]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield new_restream("last")

    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox) as client,
        client.create_many(source(), journal=tmp_path / "j" if journaled else None) as run,
    ):
        await settle()
        run.stop()
        [outcome] = [outcome async for outcome in run]

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NotSentError)
    assert sandbox.counts.posts == 0


@JOURNALED
async def test_an_input_that_keeps_cancellations_to_itself_does_not_hold_up_a_stop(
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.02)
    monkeypatch.setattr("restream_async._bulk.graceful_stop.EVERY", 0.02)
    kept: list[asyncio.CancelledError] = []

    async def source() -> AsyncIterator[NewRestream]:
        yield new_restream()
        while len(kept) < 4:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError as error:
                kept.append(error)
            else:
                return

    async with (
        asyncio.timeout(5),
        Sandbox() as sandbox,
        leak_checked_client(sandbox) as client,
        client.create_many(source(), journal=tmp_path / "j" if journaled else None) as run,
    ):
        first = await anext(run)
        run.stop()
        assert [outcome async for outcome in run] == []

    assert isinstance(first, Created)
    assert len(kept) == 4


async def test_a_cancelled_reader_of_an_iterator_that_is_no_generator_is_reported() -> None:
    """It is parked until there is room, where no generator could hear of it."""

    class Endless:
        def __aiter__(self) -> Endless:
            return self

        async def __anext__(self) -> NewRestream:
            return new_restream("v1")

    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=1) as client,
        client.create_many(Endless(), repeats="create") as run,
    ):
        await server.arrived()
        await settle()
        [reader] = [
            task
            for task in asyncio.all_tasks()
            if getattr(task.get_stack()[0].f_locals.get("work"), "__name__", "") == "_read_all"
        ]
        reader.cancel()
        await asyncio.wait([reader])
        await settle()
        first = await anext(run)

    assert isinstance(first, Failed)
    assert isinstance(first.error, NotSentError)


async def test_an_input_that_is_never_waited_for_leaves_other_tasks_their_turn() -> None:
    reader = InputReader(
        many(1000), most_ahead=10_000, on_ready=lambda: None, on_unsent=lambda _: None
    )
    (read, *_) = reader.tasks
    reading = asyncio.create_task(read())
    sizes = [0]
    while not reading.done():
        await asyncio.sleep(0)
        sizes.append(len(reader.ready))
    bursts = [after - before for before, after in itertools.pairwise(sizes)]
    assert [*filter(None, bursts)] == [128] * 7 + [104]


async def test_a_worker_that_no_longer_waits_for_an_item_is_skipped() -> None:
    arrived: list[bool] = []
    reader = InputReader(
        many(1),
        most_ahead=2,
        on_ready=lambda: arrived.append(True),
        on_unsent=lambda _: None,
    )
    waiting = asyncio.create_task(reader.wait_until_ready())
    await asyncio.sleep(0)
    waiting.cancel()
    for work in reader.tasks:
        await work()
    assert arrived == [True]
    assert reader.take().index == 0
    await asyncio.wait([waiting])


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
        async with Sandbox(latency=0.002) as sandbox, leak_checked_client(sandbox) as client:
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
            leak_checked_client(sandbox) as client,
            client.create_many(self.breaking(kind, ZeroDivisionError(), 0)) as run,
        ):
            with pytest.raises(ZeroDivisionError):
                await anext(run)
            with pytest.raises(StopAsyncIteration):
                await anext(run)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_create_all_raises_it_as_it_is(self, kind: str) -> None:
        error = ZeroDivisionError()
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(ZeroDivisionError) as caught:
                await client.create_all(self.breaking(kind, error))

        assert caught.value is error

    async def test_create_all_tells_how_many_outcomes_are_lost_with_it(self) -> None:
        def items() -> Iterator[NewRestream]:
            yield from many(3)
            raise ZeroDivisionError

        steps = by_video(v1=NO)
        async with RawServer(post=steps) as server, leak_checked_client(server) as client:
            with pytest.raises(ZeroDivisionError) as caught:
                await client.create_all(items())

        [note] = caught.value.__notes__
        assert note.startswith("before that, 2 restreams were created or found and 1 failed; ")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_cancellation_of_its_own_does_not_pass_for_its_end(self, kind: str) -> None:
        """It waited for something that was cancelled: half of the input would be missing."""
        outcomes: list[Outcome] = []
        breaking = self.breaking(kind, asyncio.CancelledError())
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
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
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            with pytest.raises(TypeError, match="item 2 of the input is a") as caught:
                await collect(client, items() if kind == "sync" else async_items(), outcomes)

        assert type(item).__name__ in str(caught.value)
        assert len(outcomes) == sandbox.counts.posts == 2

    @pytest.mark.parametrize("wrong", [None, 7, new_restream()], ids=["None", "a number", "one"])
    async def test_what_cannot_be_iterated_over_is_a_type_error_at_once(
        self,
        wrong: Any,  # noqa: ANN401 - anything
    ) -> None:
        async with leak_checked_client(RawServer(), base_url="https://api.example.com") as client:
            with pytest.raises(TypeError, match="not iterable"):
                client.create_many(wrong)

    async def test_the_run_of_a_broken_input_leaves_the_client_whole(self) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox, max_in_flight=1) as client:
            for kind, error in itertools.product(KINDS, [KeyError("x"), asyncio.CancelledError()]):
                with pytest.raises((KeyError, RuntimeError)):
                    await client.create_all(self.breaking(kind, error))
            restream = await asyncio.wait_for(client.create(new_restream("after")), 1)

        assert restream.video_id == "after"
