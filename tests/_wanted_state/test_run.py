"""A plan or an apply as its user sees it: how it begins, and all the ways in which it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from restream_async import (
    CertificateError,
    Change,
    ClientClosedError,
    InvalidRestreamError,
    NewRestream,
    NotSentError,
    OutcomeUnknownError,
    UnauthorizedError,
)
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._operations.draining import CallsInProgress
from restream_async._wanted_state.run import WantedStateRun
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client
from tests.helpers.wanted_states import (
    apply_of,
    changes_of,
    plan_of,
    short,
    statuses_of,
    want,
)

MANY = [want(video=f"v{number}") for number in range(200)]


class Refusing(Backend):
    """Answers each request with the same status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        await super().send(request, timeout)
        return Response(status=self.status)


class Hanging(Backend):
    """Never answers a method."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self.hanging = asyncio.Event()

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        response = await super().send(request, timeout)
        if request.method == self.method:
            self.hanging.set()
            await asyncio.Event().wait()
        return response


async def collect(run: WantedStateRun) -> tuple[list[Change], Exception | None]:
    """Return all changes, and what the iteration raised in the end."""
    changes: list[Change] = []
    try:
        async for change in run:
            changes.append(change)  # noqa: PERF401 - kept, also if an exception ends them
    except Exception as error:  # noqa: BLE001 - whatever it is, a test looks at it
        return changes, error
    return changes, None


class TestTheStream:
    async def test_changes_come_in_the_order_of_the_input_one_list_for_each_video(self) -> None:
        backend = Backend()
        run = plan_of(in_memory_client(backend), MANY)
        changes = await changes_of(run)
        assert [change.video_id for change in changes] == [new.video_id for new in MANY]
        assert [request.method for request in backend.sent] == ["GET"] * len(MANY)
        assert (run.videos, run.done) == (200, 200)

    async def test_the_number_of_videos_is_known_before_the_first_change(self) -> None:
        async with plan_of(in_memory_client(Backend()), [want("a"), want("b"), *MANY]) as run:
            assert (run.videos, run.done) == (200, 0)
            await anext(run)
            assert run.done == 1

    async def test_the_changes_are_counted(self) -> None:
        backend = Backend()
        backend.add(want("b"))
        backend.add(want("x", title="X"))
        backend.meets("GET", Fate.REFUSED, video="v2")
        run = plan_of(in_memory_client(backend), [want(title="A"), want("b"), want(video="v2")])
        await changes_of(run)
        counts = run.counts
        assert (counts.create, counts.keep, counts.delete) == (1, 2, 1)
        assert (counts.failed, counts.needs_prune, counts.needs_rotate) == (1, 1, 0)

    async def test_a_slow_consumer_holds_up_the_work(self) -> None:
        backend = Backend()
        async with plan_of(in_memory_client(backend, limit=2), MANY) as run:
            await anext(run)
            for _ in range(500):
                await asyncio.sleep(0)
            assert len(backend.sent) <= 2 * 4 + 2

    async def test_an_empty_input_has_no_changes(self) -> None:
        run = apply_of(in_memory_client(Backend()), [])
        assert await changes_of(run) == []
        assert run.videos == 0

    async def test_two_tasks_may_share_the_iteration(self) -> None:
        async with plan_of(in_memory_client(Backend()), MANY) as run:
            parts = await asyncio.gather(collect(run), collect(run))
        changes = [change for part, error in parts for change in part if error is None]
        assert len(changes) == len(MANY)


class TestTheBeginning:
    async def test_a_contradiction_ends_it_before_anything_is_sent(self) -> None:
        backend = Backend()
        with pytest.raises(InvalidRestreamError):
            await changes_of(apply_of(in_memory_client(backend), [want(), want(status=False)]))
        assert not backend.sent

    async def test_it_is_entered_once_and_before_the_iteration(self) -> None:
        run = plan_of(in_memory_client(Backend()), [want()])
        with pytest.raises(RuntimeError, match="enter the run first"):
            await anext(run)
        assert await changes_of(run)
        with pytest.raises(RuntimeError, match="entered once"):
            await changes_of(run)

    async def test_a_draining_client_refuses_it(self) -> None:
        client = in_memory_client(Backend())
        calls = CallsInProgress(client.executor)
        await calls.drain(0)
        with pytest.raises(ClientClosedError):
            await changes_of(plan_of(client, [want()], calls=calls))

    async def test_a_cancelled_beginning_closes_the_input(self) -> None:
        closed = asyncio.Event()

        async def items() -> AsyncIterator[NewRestream]:
            try:
                yield want()
                await asyncio.Event().wait()
            finally:
                closed.set()

        task = asyncio.create_task(changes_of(plan_of(in_memory_client(Backend()), items())))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed.is_set()

    async def test_stopped_while_it_reads_it_sends_nothing(self) -> None:
        backend = Backend()
        reading = asyncio.Event()

        async def items() -> AsyncIterator[NewRestream]:
            yield want()
            reading.set()
            await asyncio.Event().wait()

        run = apply_of(in_memory_client(backend), items())
        task = asyncio.create_task(changes_of(run))
        await reading.wait()
        run.stop()
        assert short(await task) == ["keep a NotSentError"]
        assert not backend.sent


class TestTheEnd:
    async def test_leaving_early_cancels_and_sends_nothing_more(self) -> None:
        backend = Backend()
        async with apply_of(in_memory_client(backend), MANY) as run:
            await anext(run)
        sent = len(backend.sent)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(backend.sent) == sent < 2 * len(MANY)
        assert await collect(run) == ([], None)

    async def test_an_error_in_the_block_is_raised_as_it_is(self) -> None:
        async def fail() -> None:
            async with apply_of(in_memory_client(Backend()), MANY) as run:
                await anext(run)
                raise LookupError

        with pytest.raises(LookupError):
            await fail()

    async def test_a_stopped_run_ends_and_reports_each_restream(self) -> None:
        backend = Backend()
        async with apply_of(in_memory_client(backend), MANY) as run:
            await anext(run)
            run.stop()
            run.stop()
            changes, error = await collect(run)
        assert error is None
        assert len(changes) == len(MANY) - 1
        assert isinstance(changes[-1].error, NotSentError)
        assert run.done == len(MANY)
        assert len(backend.stored) == sum(change.error is None for change in changes) + 1

    async def test_a_drained_client_lets_what_is_begun_end(self) -> None:
        backend = Backend()
        client = in_memory_client(backend)
        calls = CallsInProgress(client.executor)
        async with apply_of(client, MANY, calls=calls) as run:
            await anext(run)
            await calls.drain(5)
            changes, error = await collect(run)
        assert error is None
        assert {type(change.error) for change in changes} == {type(None), NotSentError}
        assert len(backend.stored) == 1 + sum(change.error is None for change in changes)

    async def test_a_run_that_is_over_does_not_hold_up_the_drain(self) -> None:
        client = in_memory_client(Backend())
        calls = CallsInProgress(client.executor)
        async with plan_of(client, [want()], calls=calls) as run:
            assert short((await collect(run))[0]) == ["create a"]
            async with asyncio.timeout(5):
                await calls.drain(60)

    @pytest.mark.parametrize(
        ("method", "kind"),
        [("GET", NotSentError), ("POST", OutcomeUnknownError), ("DELETE", OutcomeUnknownError)],
    )
    async def test_what_hangs_is_cancelled_and_reported(
        self, method: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.01)
        backend = Hanging(method)
        backend.add(want("x", title="X"))
        backend.add(want("b", status=False))
        async with apply_of(in_memory_client(backend), [want("a", title="A"), want("b")]) as run:
            await backend.hanging.wait()
            run.stop()
            changes, error = await collect(run)
        assert error is None
        assert kind in {type(change.error) for change in changes}

    async def test_a_toggle_that_hangs_is_cancelled_and_reported(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.01)
        backend = Hanging("PUT")
        backend.add(want("a", status=False))
        backend.add(want("x", title="X"))
        async with apply_of(in_memory_client(backend), [want("a")]) as run:
            await backend.hanging.wait()
            run.stop()
            [enable, extra], error = await collect(run)
        assert error is None
        assert isinstance(enable.error, OutcomeUnknownError)
        assert "PUT /api" in str(enable.error)
        assert isinstance(extra.error, NotSentError)

    async def test_a_stopped_run_does_not_wait_for_the_turn_of_another_one(self) -> None:
        backend = Hanging("POST")
        client = in_memory_client(backend)
        statuses = statuses_of(client)
        async with apply_of(client, [want("a")], statuses=statuses):
            await backend.hanging.wait()
            async with apply_of(client, [want("b")], statuses=statuses) as other:
                for _ in range(10):
                    await asyncio.sleep(0)
                other.stop()
                async with asyncio.timeout(1):
                    changes, error = await collect(other)
        assert (short(changes), error) == (["keep b NotSentError"], None)
        assert backend.count("GET") == 1

    async def test_other_code_that_cancels_the_tasks_is_an_error(self) -> None:
        backend = Hanging("GET")
        before = asyncio.all_tasks()
        async with apply_of(in_memory_client(backend), MANY) as run:
            await backend.hanging.wait()
            for task in asyncio.all_tasks() - before:
                task.cancel()
            changes, error = await collect(run)
        assert isinstance(error, RuntimeError)
        assert "cancelled from outside" in str(error)
        assert len(changes) == len(MANY)
        assert {type(change.error) for change in changes} == {NotSentError}

    async def test_a_task_that_raises_ends_the_run_with_its_error(self) -> None:
        backend = Backend()

        def fail(_: Request) -> Fate:
            raise LookupError("a session of the caller")

        backend.choose = fail
        async with apply_of(in_memory_client(backend), MANY) as run:
            changes, error = await collect(run)
        assert isinstance(error, LookupError)
        assert len(changes) == len(MANY)


class TestFailuresThatAllShare:
    async def test_a_wrong_key_ends_the_run_after_five_refusals(self) -> None:
        backend = Refusing(401)
        async with plan_of(in_memory_client(backend, limit=1), MANY) as run:
            changes, error = await collect(run)
        assert isinstance(error, UnauthorizedError)
        assert "correct the API key" in "".join(error.__notes__)
        assert len(changes) == len(MANY)
        assert sum(isinstance(each.error, UnauthorizedError) for each in changes) == 5
        assert len(backend.sent) == 5

    async def test_a_refusal_of_the_creation_counts_too(self) -> None:
        backend = Backend()
        client = in_memory_client(backend, limit=1)
        original = backend.send

        async def send(request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
            if request.method == "POST":
                return Response(status=401)
            return await original(request, timeout)

        backend.send = send  # type: ignore[method-assign]
        async with apply_of(client, [want(str(key)) for key in range(20)]) as run:
            _, error = await collect(run)
        assert isinstance(error, UnauthorizedError)

    async def test_a_certificate_ends_it_at_once(self) -> None:
        class Untrusted(Backend):
            async def send(self, request: Request, timeout: float) -> NoResponse:  # noqa: ASYNC109, ARG002 - the protocol's
                return NoResponse(detail="expired", sent=False, untrusted=True)

        async with plan_of(in_memory_client(Untrusted()), MANY) as run:
            _, error = await collect(run)
        assert isinstance(error, CertificateError)

    async def test_a_closed_client_ends_it(self) -> None:
        backend = Backend()
        async with plan_of(in_memory_client(backend, limit=1), MANY) as run:
            await anext(run)
            backend.closed_reason = "the client is closed"
            backend.meets("GET", *[Fate.REFUSED] * 200)
            _, error = await collect(run)
        assert isinstance(error, RuntimeError)
        assert "the client is closed" in str(error)
