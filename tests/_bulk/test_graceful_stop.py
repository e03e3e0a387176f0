"""`stop` ends a run within seconds, and every item that was read has an outcome."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from restream_async import (
    Created,
    Failed,
    NotSentError,
    OutcomeUnknownError,
)
from restream_async._journal.journal import Journal
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.bulk_inputs import KINDS, CountingInput, by_video, read_until_it_pauses
from tests.helpers.clients import client_of
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    as_asked,
    listed,
    many,
    new_restream,
)

if TYPE_CHECKING:
    from pathlib import Path

    from restream_async import Outcome
    from restream_async._bulk.graceful_stop import GracefulStop

# Not done, and to be sent again; unlike a 429 it does not slow down the whole client.
LATER: Final = answer(b"", "425 Too Early")


def errors(outcomes: list[Outcome]) -> list[type[Exception]]:
    return [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)]


@pytest.mark.parametrize("journaled", [False, True])
async def test_with_nothing_listening_all_ends_within_two_seconds(
    journaled: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    read: list[int] = []

    def source() -> Any:  # noqa: ANN401 - a generator
        for number, item in enumerate(many(1000)):
            read.append(number)
            yield item

    outcomes: list[Outcome] = []
    async with client_of(f"http://127.0.0.1:{port}", clock=Clock()) as client:
        journal = tmp_path / "j" if journaled else None
        async with client.create_many(source(), journal=journal) as run:
            await asyncio.sleep(1.5)
            run.stop()
            start = time.monotonic()
            outcomes = [outcome async for outcome in run]
        assert time.monotonic() - start < 2

    assert sorted(outcome.index for outcome in outcomes) == read
    assert set(errors(outcomes)) == {NotSentError}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_read_and_not_sent_says_so(kind: str, tmp_path: Path) -> None:
    source = CountingInput()
    async with (
        RawServer(post=[as_asked, then_hang()], get=listed()) as server,
        leak_checked_client(server, max_in_flight=4) as client,
    ):
        async with client.create_many(source.input(kind), journal=tmp_path / "j") as run:
            await server.arrived(5)
            await read_until_it_pauses(source)
            run.stop()
            run.stop()
            assert await read_until_it_pauses(source) == source.pulled
            outcomes = [await anext(run) for _ in range(source.pulled - 4)]
        await assert_nothing_left(client)
        sent = server.counts["POST"]

    assert sum(isinstance(outcome, Created) for outcome in outcomes) == 1
    assert errors(outcomes) == [NotSentError] * (source.pulled - 5)
    assert run.unknown == sent - 1 == 4


async def test_what_is_on_the_wire_may_end_by_itself_and_is_cut_after_a_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.05)
    steps = by_video()

    async def act(peer: Any, seen: Any) -> None:  # noqa: ANN401 - of the raw server
        if b'"v1"' in seen.body:
            await asyncio.Event().wait()
        await asyncio.sleep(0.02)
        await steps(peer, seen)

    async with (
        RawServer(post=act, get=listed()) as server,
        leak_checked_client(server, max_in_flight=2) as client,
    ):
        async with client.create_many(many(10)) as run:
            await server.arrived(2)
            run.stop()
            outcomes = [outcome async for outcome in run]
        await assert_nothing_left(client)

    by_index = {outcome.index: outcome for outcome in outcomes}
    assert isinstance(by_index[0], Created)
    cut = by_index[1]
    assert isinstance(cut, Failed)
    assert isinstance(cut.error, OutcomeUnknownError)
    assert "its run ended before the answer came" in str(cut.error)
    assert "list the restreams of the video" in str(cut.error)
    assert set(errors(outcomes[2:])) <= {NotSentError, OutcomeUnknownError}
    assert (run.unchecked, run.unknown, server.counts["POST"]) == (1, 0, 2)


async def test_what_waits_for_a_retry_ends_at_once() -> None:
    steps = by_video(v0=LATER, v1=INTERNAL_ERROR)
    async with (
        RawServer(post=steps, get=listed()) as server,
        leak_checked_client(server, clock=FastClock(meanwhile=never)) as client,
        asyncio.timeout(5),
        client.create_many(many(2)) as run,
    ):
        await server.arrived(2)
        await asyncio.sleep(0.05)
        run.stop()
        outcomes = [outcome async for outcome in run]

    by_index = sorted(outcomes, key=lambda outcome: outcome.index)
    assert isinstance(by_index[0], Failed)
    assert isinstance(by_index[0].error, NotSentError)
    assert isinstance(by_index[1], Failed), "looked for once more, and not there"
    assert (server.counts["POST"], server.counts["GET"]) == (2, 2)


async def test_a_consumer_that_is_slow_gets_all_outcomes() -> None:
    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox, max_in_flight=2) as client,
        client.create_many(CountingInput()) as run,
    ):
        await asyncio.sleep(0.05)
        run.stop()
        outcomes = [outcome async for outcome in run]

    created = [outcome for outcome in outcomes if isinstance(outcome, Created)]
    assert len(created) == sandbox.counts.posts
    assert len({outcome.index for outcome in outcomes}) == len(outcomes)


async def test_what_waits_for_a_slot_ends_at_once() -> None:
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        holder = asyncio.create_task(client.create(new_restream("holder")))
        await server.arrived(1)
        async with asyncio.timeout(5), client.create_many(many(5)) as run:
            await asyncio.sleep(0.02)
            assert client.stats().waiting == 1
            run.stop()
            outcomes = [outcome async for outcome in run]
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)

    assert set(errors(outcomes)) == {NotSentError}


async def test_a_run_that_is_stopped_before_it_is_entered_reads_nothing() -> None:
    source = CountingInput()
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        run = client.create_many(source.input("sync"))
        run.stop()
        async with run:
            assert [outcome async for outcome in run] == []

    assert source.pulled == 0


async def test_the_same_command_creates_what_a_stopped_run_did_not_send(tmp_path: Path) -> None:
    async with Sandbox(latency=0.01) as sandbox:
        async with (
            leak_checked_client(sandbox, max_in_flight=4) as client,
            client.create_many(many(40), journal=tmp_path / "j") as run,
        ):
            await anext(run)
            run.stop()
            await run.report()
        async with leak_checked_client(sandbox) as client:
            report = await client.create_all(many(40), journal=tmp_path / "j")

    assert (len(report.created), len(sandbox.stored), sandbox.counts.lists) == (40, 40, 0)


async def test_a_stopped_run_is_not_cut_while_its_journal_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Journal] = []

    async def flush(journal: Journal) -> None:
        await asyncio.sleep(0.1)
        written.append(journal)

    monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.05)
    monkeypatch.setattr(Journal, "flush", flush)
    async with (
        Sandbox() as sandbox,
        leak_checked_client(sandbox) as client,
        client.create_many(many(1), journal=tmp_path / "j") as run,
    ):
        run.stop()
        await run.report()

    assert len(written) == 1


class TestAnUndo:
    async def test_ends_within_two_seconds_where_nothing_listens(self, tmp_path: Path) -> None:
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            await client.create_all(many(20), journal=tmp_path / "j")
        told: list[Any] = []
        async with (
            client_of(sandbox, clock=Clock(), attempts=50) as client,
            client.undo(tmp_path / "j") as undo,
        ):
            task = asyncio.create_task(undo.carry_out(told.append))
            await asyncio.sleep(1.5)
            undo.stop()
            undo.stop()
            await asyncio.wait_for(task, 2)

        assert told
        assert {type(undone.error) for undone in told} == {NotSentError}

    async def test_tells_of_what_is_cut(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.05)
        async with (
            RawServer(post=as_asked, delete=then_hang()) as server,
            leak_checked_client(server) as c,
        ):
            await c.create_all(many(3), journal=tmp_path / "j")
            told: list[Any] = []
            async with c.undo(tmp_path / "j") as undo:
                task = asyncio.create_task(undo.carry_out(told.append))
                await server.arrived(1, "DELETE")
                undo.stop()
                await asyncio.wait_for(task, 5)

        assert OutcomeUnknownError in {type(undone.error) for undone in told}
        assert "undo again" in "".join(str(undone.error) for undone in told)

    async def test_cancels_nothing_after_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cuts: list[GracefulStop] = []

        def cut(ending: GracefulStop) -> None:
            cuts.append(ending)

        monkeypatch.setattr("restream_async._bulk.graceful_stop.STOP_GRACE", 0.2)
        monkeypatch.setattr("restream_async._bulk.graceful_stop.GracefulStop._cancel_tasks", cut)
        async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
            await client.create_all(many(3), journal=tmp_path / "j")
            async with client.undo(tmp_path / "j") as undo:
                stop = undo.stop
                await undo.carry_out(lambda _: stop())
            await asyncio.sleep(0.25)

        assert cuts == []


async def test_what_an_earlier_run_left_in_doubt_is_not_checked_any_more(tmp_path: Path) -> None:
    """The next run finds out; here each would cost one list, at a time when nothing may wait."""
    journal = tmp_path / "run.db"
    wanted = many(40)
    async with RawServer(post=then_hang(), get=listed()) as server:
        async with leak_checked_client(server, max_in_flight=1) as client:
            run = client.create_many(wanted, journal=journal)
            async with run:
                await server.arrived(1)
        # As after `kill -9`: what was read ahead has intents without an end.
        with closing(sqlite3.connect(journal)) as database:
            database.execute("UPDATE creation SET state = 'intended'")
            database.commit()
        server.requests.clear()
        async with (
            leak_checked_client(server, max_in_flight=1) as client,
            client.create_many(wanted, journal=journal) as run,
        ):
            await server.arrived(1)
            run.stop()
            outcomes = [outcome async for outcome in run]

    unknown = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Failed) and isinstance(outcome.error, OutcomeUnknownError)
    ]
    assert len(unknown) >= 3
    assert {outcome.attempts for outcome in unknown[:-1]} == {0}
    assert "run again to find out" in str(unknown[0].error)
    assert server.counts["GET"] <= 3
