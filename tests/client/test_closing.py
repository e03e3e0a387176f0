"""A client that is closed during its work: everything under way gets its outcome."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from restream_async import (
    AttemptTimeoutError,
    ClientClosedError,
    Created,
    Failed,
    InternalServerError,
    OutcomeUnknownError,
)
from tests.helpers.client_calls import CALLS, METHODS, collect, failure_of, outcomes_of
from tests.helpers.fast_clock import FastClock
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.polling import until
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    created,
    listed,
    many,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from pathlib import Path

    from restream_async import NewRestream, Outcome, RestreamClient
    from restream_async._bulk.run import BulkRun

# Not done, and to be sent again; unlike a 429 it does not slow down the whole client.
LATER: Final = answer(b"", "425 Too Early")


async def closed_run(
    client: RestreamClient, requests: list[NewRestream], outcomes: list[Outcome]
) -> None:
    with pytest.raises(RuntimeError, match="the client is closed"):
        await asyncio.wait_for(collect(client, requests, outcomes), 5)


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("call", CALLS)
async def test_nothing_can_be_sent_after_closing(call: str, opened: bool) -> None:  # noqa: FBT001 - a parameter
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        if opened:
            await client.list("v1")
        await client.close()
        error = await failure_of(CALLS[call](client), ClientClosedError)

    assert isinstance(error, RuntimeError)
    assert (error.sent, error.attempts) == (False, 1)
    assert str(error).startswith("the client is closed: ")
    assert len(server.requests) == opened


@pytest.mark.parametrize("call", CALLS)
async def test_closing_during_a_request_ends_it_at_once(call: str) -> None:
    """The request was on its way, so it is in doubt, and nothing can be looked up any more."""
    hang = then_hang()
    over = asyncio.Event()
    clock = FastClock(meanwhile=over.wait)
    async with (
        RawServer(post=hang, get=hang, put=hang, delete=hang) as server,
        leak_checked_client(server, clock=clock) as client,
    ):
        task = asyncio.ensure_future(CALLS[call](client))
        await server.arrived()
        await client.close()
        kind = OutcomeUnknownError if call == "create" else ClientClosedError
        error = await failure_of(asyncio.wait_for(task, 1), kind)
        await assert_nothing_left(client)

    assert server.counts == {METHODS[call]: 1}
    assert clock.sleeps == [], "no wait for what cannot be"
    assert "the client was closed during the request" in str(error)


@pytest.mark.parametrize("in_doubt", ["confirm", "raise", "resend"])
async def test_what_was_in_doubt_before_the_closing_is_unknown(in_doubt: str) -> None:
    over = asyncio.Event()
    clock = FastClock(meanwhile=over.wait)
    async with (
        RawServer(post=INTERNAL_ERROR) as server,
        leak_checked_client(server, clock=clock, in_doubt=in_doubt) as client,
    ):
        task = asyncio.create_task(client.create(new_restream()))
        await until(lambda: len(clock.sleeps) == 1)
        await client.close()
        over.set()
        error = await failure_of(task, OutcomeUnknownError)

    assert type(error.doubt) is InternalServerError
    assert "checking whether it exists failed too (the client is closed: GET" in str(error)
    assert server.order == "POST"


async def test_a_pool_that_is_closed_ends_what_waits_for_it() -> None:
    """aiohttp cancels those who wait for a connection, though nobody has cancelled their task."""
    async with RawServer(get=then_hang()) as server:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        async with leak_checked_client(server, session=session) as client:
            stranger = asyncio.create_task(session.get(server.base_url))
            await server.arrived()
            task = asyncio.create_task(client.create(new_restream()))
            await asyncio.sleep(0.01)
            await session.close()
            error = await failure_of(asyncio.wait_for(task, 1), ClientClosedError)
            await asyncio.gather(stranger, return_exceptions=True)

    assert error.sent is False
    assert server.order == "GET"


async def test_a_call_that_is_cancelled_while_the_client_closes_is_cancelled() -> None:
    async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
        task = asyncio.create_task(client.create(new_restream()))
        await server.arrived()
        closing = asyncio.create_task(client.close())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closing


async def test_a_closing_that_is_cancelled_again_and_again_closes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due = asyncio.Event()
    close = aiohttp.ClientSession.close

    async def slowly(session: aiohttp.ClientSession) -> None:
        await due.wait()
        await close(session)

    monkeypatch.setattr(aiohttp.ClientSession, "close", slowly)
    async with RawServer(get=listed()) as server, leak_checked_client(server) as client:
        await client.list("v1")
        task = asyncio.create_task(client.close())
        for _ in range(10):
            await asyncio.sleep(0)
            task.cancel()
        assert not task.done()
        due.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_nothing_left(client)


@pytest.mark.parametrize("ends", ["before", "by closing", "after"])
async def test_a_client_that_is_closed_leaves_no_timer_behind(
    ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a request that ends before, one that closing ends, and one that ends by itself."""
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def note(*args: Any, **options: Any) -> asyncio.TimerHandle:  # noqa: ANN401 - the loop's
        timers.append(call_at(*args, **options))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", note)
    async with (
        RawServer(get=[listed(), then_hang()], put=then_hang()) as server,
        aiohttp.ClientSession() as session,
        leak_checked_client(
            server, timeout=30.0, attempts=1, session=session if ends == "after" else None
        ) as client,
    ):
        await client.list("v1")
        task = asyncio.create_task(client.list("v1"))
        if ends == "before":
            task.cancel()
        await server.arrived(2 if ends != "before" else 1)
        await client.close()
        if ends == "after":
            # Somebody else's session stays open, and so does what is under way on it.
            assert [timer for timer in timers if not timer.cancelled()]
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert timers
    assert [timer for timer in timers if not timer.cancelled() and timer.when() > loop.time()] == []


class TestABulkRun:
    async def test_of_a_closed_client_says_so(self) -> None:
        outcomes: list[Outcome] = []
        async with RawServer() as server, leak_checked_client(server) as client:
            await client.close()
            await closed_run(client, many(3), outcomes)

        assert len(outcomes) == 3
        for failed in outcomes:
            assert isinstance(failed, Failed)
            assert type(failed.error) is ClientClosedError

    async def test_delivers_what_is_in_flight_as_unknown(self) -> None:
        outcomes: list[Outcome] = []
        async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
            # As many as the limit begins with.
            run = client.create_many(many(8))
            task = asyncio.create_task(_consume(run, outcomes))
            await server.arrived(8)
            await client.close()
            with pytest.raises(RuntimeError, match="the client is closed"):
                await asyncio.wait_for(task, 1)
            await assert_nothing_left(client)

        assert sorted(outcome.index for outcome in outcomes) == list(range(8))
        for outcome in outcomes:
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, OutcomeUnknownError)
            assert type(outcome.error.doubt) is ClientClosedError
            assert outcome.attempts == outcome.error.attempts == 1
        assert run.counts.failed == {"OutcomeUnknownError": 8}
        assert run.counts.in_doubt == 8
        assert run.unchecked == 8, "nobody could look again at the end"

    async def test_tells_what_was_not_done_from_what_is_in_doubt(self) -> None:
        """One waits for a retry after 425, one after 500, and one was created before."""
        over = asyncio.Event()
        clock = FastClock(meanwhile=over.wait)
        steps = [created(new_restream("v0"), 5), LATER, INTERNAL_ERROR]
        outcomes: list[Outcome] = []
        async with (
            RawServer(post=steps) as server,
            leak_checked_client(server, max_in_flight=1, clock=clock) as client,
        ):
            task = asyncio.create_task(closed_run(client, many(3), outcomes))
            await until(lambda: len(clock.sleeps) == 2)
            await client.close()
            over.set()
            await task

        by_index = {outcome.index: outcome for outcome in outcomes}
        first, second, third = (by_index[index] for index in range(3))
        assert isinstance(first, Created)
        assert isinstance(second, Failed)
        assert isinstance(third, Failed)
        assert type(second.error) is ClientClosedError
        assert isinstance(third.error, OutcomeUnknownError)
        assert type(third.error.doubt) is InternalServerError

    async def test_reads_no_further(self) -> None:
        read = 0

        def endless() -> Any:  # noqa: ANN401 - a generator
            nonlocal read
            while True:
                yield new_restream(f"v{read}")
                read += 1

        async with (
            RawServer(post=then_hang()) as server,
            leak_checked_client(server, max_in_flight=3) as client,
        ):
            task = asyncio.ensure_future(outcomes_of(client, endless()))
            await server.arrived(3)
            await client.close()
            with pytest.raises(RuntimeError, match="the client is closed"):
                await asyncio.wait_for(task, 1)

        assert read <= 2 * 3

    async def test_is_resumed_with_its_journal(self, tmp_path: Path) -> None:
        """What was in flight is looked for, and created where it is not there."""
        there = [on_the_wire(new, 50 + number) for number, new in enumerate(many(2))]
        journal = tmp_path / "run.db"
        hang = then_hang()
        async with RawServer(
            post=[*[hang] * 4, created(new_restream("v2"), 60), created(new_restream("v3"), 61)],
            get=[listed(there[0]), listed(there[1]), listed()],
        ) as server:
            async with leak_checked_client(server) as client:
                outcomes: list[Outcome] = []
                run = client.create_many(many(4), journal=journal)
                task = asyncio.create_task(_consume(run, outcomes))
                await server.arrived(4)
                await client.close()
                with pytest.raises(RuntimeError, match="the client is closed"):
                    await asyncio.wait_for(task, 5)
            async with leak_checked_client(server, max_in_flight=1) as another:
                report = await another.create_all(many(4), journal=journal)

        assert len(outcomes) == 4
        assert [item.restream.id for item in report.created] == [50, 51, 60, 61]
        assert report.failed == ()

    async def test_ends_with_what_a_session_of_ones_own_raises(self) -> None:
        async def break_down(*_: object) -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        watch = aiohttp.TraceConfig()
        watch.on_request_start.append(break_down)
        async with (
            RawServer() as server,
            aiohttp.ClientSession(trace_configs=[watch]) as session,
            leak_checked_client(server, session=session) as client,
        ):
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(outcomes_of(client, many(3)), 5)


async def _consume(run: BulkRun, outcomes: list[Outcome]) -> None:
    async with run:
        async for outcome in run:
            outcomes.append(outcome)  # noqa: PERF401 - a comprehension would lose them


@pytest.mark.parametrize("instead", [None, aiohttp.ClientError])
async def test_a_time_out_that_a_session_of_ones_own_turns_into_something_else_is_one(
    instead: type[Exception] | None,
) -> None:
    async def interfere(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if instead is not None:
                raise instead from None

    watch = aiohttp.TraceConfig()
    watch.on_request_start.append(interfere)
    async with (
        RawServer(post=created()) as server,
        aiohttp.ClientSession(trace_configs=[watch]) as session,
        leak_checked_client(server, session=session, timeout=0.01, attempts=1) as client,
    ):
        if instead is None:
            await client.create(new_restream())
        else:
            error = await failure_of(client.create(new_restream()), AttemptTimeoutError)
            assert "no connection within 0.01 s" in str(error)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "no later time-out may take it for its own"
