"""Flow control of a whole client against a real local server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from restream_async import (
    ApiError,
    ConfigurationError,
    Created,
    Failed,
    OutageError,
    OutcomeUnknownError,
    RestreamClient,
)
from restream_async.sandbox import Faults, Sandbox
from restream_async.stats import Stats
from restream_async.testing import instant_clock
from tests.helpers.fast_clock import FastClock, FastForward
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.polling import until
from tests.helpers.raw_server import RawServer, then_close, then_hang
from tests.helpers.samples import BACKEND_FETCH_FAILED, created, many, new_restream

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from restream_async._bulk.undo import Undone

# No `Retry-After`, as these tests wait for real where they wait at all.
_PROMPT = Faults(retry_after=None)


async def test_stats_say_what_the_client_is_doing() -> None:
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=8) as client,
    ):
        idle = client.stats()
        tasks = [asyncio.create_task(client.create(new)) for new in many(10)]
        await server.arrived(8)
        busy = client.stats()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        over = client.stats()

    assert idle == Stats(
        in_flight=0, limit=8, waiting=0, attempts=0, retries=0, budget_left=20, state="closed"
    )
    # Each call that began pays for half a retry.
    assert busy == Stats(
        in_flight=8, limit=8, waiting=2, attempts=8, retries=0, budget_left=25, state="closed"
    )
    assert (over.in_flight, over.waiting, over.attempts) == (0, 0, 8)


async def test_a_retry_is_paid_for_from_the_budget() -> None:
    later = created()
    async with (
        RawServer(
            post=[b"HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n"] * 3 + [later]
        ) as server,
        leak_checked_client(server) as client,
    ):
        await client.create(new_restream())
        stats = client.stats()

    assert stats.retries == 3
    # On this clock back-off takes time, and so the budget has filled up again.
    assert stats.budget_left <= 20


@pytest.mark.parametrize(("ceiling", "limit"), [(20, 20), (64, 64), (1000, 64)])
async def test_the_limit_begins_at_its_ceiling_up_to_64(ceiling: int, limit: int) -> None:
    server = RawServer(post=then_hang())
    async with server, leak_checked_client(server, max_in_flight=ceiling) as client:
        assert client.stats().limit == limit
        tasks = [asyncio.create_task(client.create(new)) for new in many(limit + 5)]
        await server.arrived(limit)
        assert (client.stats().in_flight, client.stats().waiting) == (limit, 5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_while_all_goes_well_it_stays_there() -> None:
    async with (
        Sandbox(latency=0.005) as sandbox,
        leak_checked_client(sandbox, max_in_flight=20) as client,
    ):
        report = await client.create_all(many(300))
        report.raise_for_failures()
        assert client.stats().limit == 20

    assert 10 < sandbox.counts.max_in_flight <= 20


async def test_a_service_that_sheds_makes_it_smaller_also_for_the_next_run() -> None:
    async with (
        Sandbox(latency=0.05, capacity=2, faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(5).as_clock()) as client,
    ):
        (await client.create_all(many(60))).raise_for_failures()
        limit, shed = client.stats().limit, sandbox.counts.shed
        assert limit <= 6
        # The first wave of requests, and few after it: with a limit of 64 there are 480.
        assert 64 - 2 - 5 <= shed <= 64 + 60
        (await client.create_all(many(60, first=60))).raise_for_failures()
        assert client.stats().limit <= 6
        assert sandbox.counts.shed - shed <= 60

    assert not sandbox.duplicates()


@pytest.mark.parametrize("header", [None, "1", "600"])
async def test_a_rate_limit_fails_nothing_and_is_known_to_the_next_run(header: str | None) -> None:
    async with (
        Sandbox(rate_limit=300, burst=5, rate_limit_retry_after=header) as sandbox,
        leak_checked_client(
            sandbox, clock=FastForward(30).as_clock(), attempts=1, deadline=10, in_doubt="raise"
        ) as client,
    ):
        report = await client.create_all(many(100))
        report.raise_for_failures()
        assert client.stats().limit == 64
        limited = sandbox.counts.limited
        assert 0 < limited < 64 + 30
        (await client.create_all(many(100, first=100))).raise_for_failures()
        assert sandbox.counts.limited - limited < 40
        assert client.stats().budget_left >= 20
        # Else the limiter would wake up once more, when the next request would be due.
        await client.close()

    assert len(sandbox.stored) == 200
    assert not sandbox.duplicates()


async def test_a_service_that_answers_429_and_nothing_else_is_given_up() -> None:
    server = RawServer(post=b"HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n")
    async with (
        server,
        leak_checked_client(
            server, clock=FastForward(50).as_clock(), attempts=1, patience=20
        ) as client,
    ):
        report = await client.create_all(many(50))
        # Else the limiter would wake up once more, at the end of its pause.
        await client.close()

    assert {type(failed.error) for failed in report.failed} == {OutageError}
    assert len(report.failed) == 50
    assert "429 Later" in str(report.failed[0].error)


async def test_a_call_that_is_over_leaves_no_timer_for_the_pause_after_a_429() -> None:
    server = RawServer(post=b"HTTP/1.1 429 Later\r\nContent-Length: 0\r\nRetry-After: 9\r\n\r\n")
    async with (
        server,
        leak_checked_client(server, clock=FastForward(1).as_clock(), attempts=1) as client,
    ):
        with pytest.raises(ApiError, match="429 Later"):
            await client.create(new_restream())
        await assert_nothing_left(client)


async def test_a_run_is_held_while_the_service_is_gone_and_goes_on_when_it_is_back() -> None:
    clock = FastForward(20).as_clock()
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=clock) as client,
        client.create_many(many(200)) as run,
    ):
        sandbox.outage = True
        report = asyncio.create_task(run.report())
        await until(lambda: client.stats().state == "open")
        sent = client.stats().attempts
        await asyncio.sleep(0.5)  # ten seconds for the client
        assert client.stats().state == "open"
        assert client.stats().attempts - sent <= 6
        sandbox.outage = False
        (await report).raise_for_failures()
        assert client.stats().state == "closed"

    assert len(sandbox.stored) == 200
    assert not sandbox.duplicates()


async def test_when_patience_ends_what_is_left_fails_with_an_outage_error() -> None:
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(50).as_clock(), patience=20) as client,
    ):
        sandbox.outage = True
        report = await client.create_all(many(100))
        state = client.stats().state

    assert state == "open"
    assert report.created == ()
    kinds = {type(failed.error) for failed in report.failed}
    # What was sent may have happened for all that anybody can see.
    assert kinds == {OutcomeUnknownError, OutageError}
    gone = [failed for failed in report.failed if isinstance(failed.error, OutageError)]
    assert len(gone) > 50
    assert str(gone[-1].error).startswith(
        "the service is out, and did not recover (last: 503 Backend fetch failed"
    )
    assert "try again when the service is back" in str(gone[-1].error)


async def test_the_rest_of_an_endless_input_is_not_kept_waiting_either() -> None:
    """The same on a clock that takes no time at all, as in other people's tests."""

    def endless() -> Any:  # noqa: ANN401 - a generator
        number = 0
        while True:
            yield new_restream(f"v{number}")
            number += 1

    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=instant_clock(), patience=5) as client,
        client.create_many(endless()) as run,
    ):
        sandbox.outage = True
        async for outcome in run:
            assert isinstance(outcome, Failed)
            if isinstance(outcome.error, OutageError):
                break


async def test_on_such_a_clock_a_run_that_is_held_comes_to_its_end_too() -> None:
    """A timer that moves the clock by all of the patience at once is no quiet time."""
    cut = then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    server = RawServer(post=cut, get=cut)
    async with server, leak_checked_client(server, clock=FastClock(), attempts=2) as client:
        while client.stats().state != "open":
            await client.outcome(new_restream("first"))
        async with asyncio.timeout(10):
            report = await client.create_all(many(2))
    errors = [failed.error for failed in report.failed]
    assert {type(error) for error in errors} <= {OutageError, OutcomeUnknownError}
    assert len(errors) == 2


async def test_a_single_creation_waits_within_its_own_deadline_only() -> None:
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(40).as_clock(), deadline=4) as client,
        client.create_many(many(100)) as run,
    ):
        sandbox.outage = True
        report = asyncio.create_task(run.report())
        await until(lambda: client.stats().state == "open")
        loop = asyncio.get_running_loop()
        start = loop.time()
        calls: list[Awaitable[object]] = [
            client.create(new_restream("alone-1")),
            client.list("alone-2"),
            client.ensure(new_restream("alone-3")),
            client.delete(7),
        ]
        ends = await asyncio.gather(*calls, return_exceptions=True)
        # Each was held, or was the one that asked.
        assert OutageError in {type(end) for end in ends}
        assert all(isinstance(end, Exception) for end in ends)
        assert loop.time() - start < 8
        assert not report.done()
        report.cancel()
        await asyncio.wait([report])
        # Else the limiter would wake up once more, to let somebody ask.
        await client.close()


async def test_one_failure_after_the_other_of_a_single_call_is_no_outage() -> None:
    server = RawServer(post=BACKEND_FETCH_FAILED, get=BACKEND_FETCH_FAILED)
    async with server, leak_checked_client(server, attempts=3, in_doubt="resend") as client:
        with pytest.raises(Exception, match="503"):
            await client.create(new_restream())
        assert client.stats().state == "closed"


async def test_a_creation_that_waits_when_the_service_comes_back_is_done() -> None:
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(20).as_clock()) as client,
    ):
        sandbox.outage = True
        run = asyncio.create_task(client.create_all(many(50)))
        await until(lambda: client.stats().state == "open")
        alone = asyncio.create_task(client.create(new_restream("alone")))
        await until(lambda: client.stats().waiting > 0)
        sandbox.outage = False
        assert (await alone).video_id == "alone"
        assert all(isinstance(outcome, Created) for outcome in (await run).created)


async def test_undoing_is_held_too_beyond_the_deadline_of_one_call(tmp_path: Path) -> None:
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(20).as_clock(), deadline=16) as client,
    ):
        journal = tmp_path / "run.db"
        (await client.create_all(many(30), journal=journal)).raise_for_failures()
        sandbox.outage = True
        undone: list[Undone] = []
        async with client.undo(journal) as undo:
            work = asyncio.create_task(undo.carry_out(undone.append))
            await until(lambda: client.stats().state == "open")
            await asyncio.sleep(1)  # twenty seconds for the client
            sandbox.outage = False
            await work

    assert [each.gone for each in undone] == [True] * 30
    assert sandbox.stored == ()


async def test_closing_ends_what_is_held_at_once_and_does_not_speak_of_an_outage() -> None:
    async with (
        Sandbox(faults=_PROMPT) as sandbox,
        leak_checked_client(sandbox, clock=FastForward(20).as_clock()) as client,
    ):
        sandbox.outage = True
        run = asyncio.create_task(client.create_all(many(50)))
        await until(lambda: client.stats().state == "open" and client.stats().waiting > 0)
        await client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            await asyncio.wait_for(run, 5)


@pytest.mark.parametrize("patience", [0, -1, float("nan"), float("inf"), "300", True, None])
def test_patience_is_a_number_of_seconds_above_zero(patience: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(ConfigurationError, match="patience must be a number of seconds above 0"):
        RestreamClient(
            base_url="https://api.example.com", project_id="p", api_key="k", patience=patience
        )
