"""`drain`: no new calls, time for those in progress, and then an end within seconds."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import (
    ClientClosedError,
    Created,
    Failed,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    RetryPolicy,
)
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.executor import RequestExecutor
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.client_calls import CALLS, failure_of
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.in_memory_service import Backend
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.limiter_steps import fall
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    as_asked,
    created,
    listed,
    many,
    new_restream,
)
from tests.helpers.simulated_time import now, simulated, simulated_clock

if TYPE_CHECKING:
    from pathlib import Path

# Not done, and to be sent again; unlike a 429 it does not slow down the whole client.
LATER: Final = answer(b"", "425 Too Early")


async def slow(peer: Peer, seen: Seen) -> None:
    await asyncio.sleep(0.05)
    await as_asked(peer, seen)


@pytest.mark.parametrize("call", CALLS)
async def test_new_calls_are_refused(call: str) -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        await client.drain()
        error = await failure_of(CALLS[call](client), ClientClosedError)
    assert str(error).startswith("the client is draining: ")


async def test_an_outcome_says_so_and_is_not_raised() -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        await client.drain()
        outcome = await client.outcome(new_restream())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ClientClosedError)
    assert (outcome.attempts, outcome.error.sent) == (0, False)


async def test_new_runs_are_refused(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        await client.create_all(many(3), journal=tmp_path / "j")
        undo = client.undo(tmp_path / "j")
        async with undo:
            await client.drain()
            with pytest.raises(ClientClosedError, match="draining: DELETE"):
                await undo.carry_out(lambda _: None)
        with pytest.raises(ClientClosedError, match="draining: POST"):
            await client.create_all(many(3), journal=tmp_path / "j")


async def test_calls_have_all_the_time_that_they_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It looks for an outage meanwhile, again and again."""
    monkeypatch.setattr("restream_async._operations.draining._PERIOD", 0.01)
    async with RawServer(post=slow) as server, leak_checked_client(server) as client:
        call = asyncio.create_task(client.create(new_restream()))
        await server.arrived()
        await client.drain(timeout=30)
        assert call.done()
        assert (await call).id == 7


async def test_what_is_in_progress_finishes() -> None:
    async with (
        RawServer(post=slow) as server,
        leak_checked_client(server, max_in_flight=2) as client,
    ):
        tasks = [asyncio.create_task(client.create(new)) for new in many(6)]
        await server.arrived()
        await client.drain()
        assert all(task.done() for task in tasks)
        assert len(await asyncio.gather(*tasks)) == 6


async def test_it_returns_at_once_where_nothing_is_in_progress() -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        start = time.monotonic()
        await client.drain()
        await client.drain()
        assert time.monotonic() - start < 1


async def test_what_waits_when_the_time_is_over_ends_at_once() -> None:
    """One for a retry after 425, one after 500, and one for a slot."""
    async with (
        RawServer(post=[LATER, INTERNAL_ERROR], get=listed()) as server,
        leak_checked_client(server, clock=FastClock(meanwhile=never)) as client,
    ):
        tasks = [asyncio.create_task(client.outcome(new)) for new in many(2)]
        await server.arrived(2)
        await asyncio.sleep(0.02)
        await asyncio.wait_for(client.drain(timeout=0.05), 4)
        first, second = await asyncio.gather(*tasks)

    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert NotSentError in {type(first.error), type(second.error)}
    assert server.counts == {"POST": 2, "GET": 1}


async def test_what_stays_on_the_wire_is_left_to_the_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._operations.draining.STOP_GRACE", 0.05)
    async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
        task = asyncio.create_task(client.create(new_restream()))
        await server.arrived()
        await client.drain(timeout=0.05)
        assert not task.done()
        await client.close()
        await failure_of(task, OutcomeUnknownError)


async def test_a_bulk_run_reads_no_further_and_finishes_what_it_has_read() -> None:
    read: list[int] = []

    def source() -> Any:  # noqa: ANN401 - a generator
        for number in range(10_000):
            read.append(number)
            yield new_restream(f"v{number}")

    async with (
        RawServer(post=slow) as server,
        leak_checked_client(server, max_in_flight=2) as client,
        client.create_many(source()) as run,
    ):
        await server.arrived(10)
        # The consumer is slow: it takes the outcomes only afterwards.
        await client.drain()
        outcomes = [outcome async for outcome in run]

    assert sorted(outcome.index for outcome in outcomes) == read
    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert len(read) < 50


async def test_a_bulk_run_whose_consumer_pauses_does_not_hold_it_up(tmp_path: Path) -> None:
    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox, max_in_flight=1) as client,
        client.create_many(many(1000), journal=tmp_path / "j") as run,
    ):
        # Until the run waits for the consumer.
        before = -1
        while before != sandbox.counts.posts:
            before = sandbox.counts.posts
            await asyncio.sleep(0.05)
        await asyncio.wait_for(client.drain(timeout=30), 5)
        assert len([outcome async for outcome in run]) < 100


async def test_a_bulk_run_and_an_undo_are_stopped_when_the_time_is_over(tmp_path: Path) -> None:
    async with (
        RawServer(post=[created(), LATER], delete=LATER) as server,
        leak_checked_client(server, clock=FastClock(meanwhile=never)) as client,
    ):
        await client.create_all([new_restream()], journal=tmp_path / "j")
        told: list[Any] = []
        async with (
            client.undo(tmp_path / "j") as undo,
            client.create_many(many(3, first=5)) as run,
        ):
            undoing = asyncio.create_task(undo.carry_out(told.append))
            await server.arrived(1, "DELETE")
            await server.arrived(2, "POST")
            await asyncio.wait_for(client.drain(timeout=0.05), 4)
            await undoing
            outcomes = [outcome async for outcome in run]

    assert [type(undone.error) for undone in told] == [NotSentError]
    assert {type(o.error) for o in outcomes if isinstance(o, Failed)} == {NotSentError}
    assert len(outcomes) == 3


def simulated_executor() -> RequestExecutor:
    return RequestExecutor.adaptive(
        Backend(),
        ceiling=8,
        patience=300.0,
        policy=RetryPolicy(),
        clock=simulated_clock(),
        timeout=30.0,
    )


@simulated
async def test_an_outage_that_begins_meanwhile_ends_it() -> None:
    executor = simulated_executor()
    calls = CallsInProgress(executor)
    with calls as deadline:
        draining = asyncio.create_task(calls.drain(timeout=60))
        await fall(executor.limiter)
        began = now()
        await deadline.stop.pause(asyncio.sleep(60))
        assert now() - began <= 0.2
    await draining


@simulated
async def test_what_is_in_flight_has_five_seconds_after_the_stop() -> None:
    calls = CallsInProgress(simulated_executor())
    with calls as deadline:
        draining = asyncio.create_task(calls.drain(timeout=1.1))
        await deadline.stop.pause(asyncio.sleep(60))
        assert now() == pytest.approx(1.1)
        await draining
        assert now() == pytest.approx(6.1)


@simulated
async def test_it_returns_when_the_last_of_several_calls_ends() -> None:
    calls = CallsInProgress(simulated_executor())

    async def call(seconds: float) -> None:
        with calls:
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (0.05, 0.15, 0.35):
            group.create_task(call(seconds))
        await asyncio.sleep(0)
        await calls.drain(timeout=60)
        assert now() == pytest.approx(0.35)


async def test_in_an_outage_nothing_is_waited_for() -> None:
    async with client_of("http://127.0.0.1:1", clock=Clock()) as client:
        calls = [asyncio.create_task(client.outcome(new)) for new in many(8)]
        while client.stats().state == "closed":  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await client.drain(timeout=60)
        assert time.monotonic() - began < 2
        ends = await asyncio.gather(*calls)
    assert {type(end.error) for end in ends if isinstance(end, Failed)} <= {
        NotSentError,
        OutageError,
    }
