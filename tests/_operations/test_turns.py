"""Turns: equal restreams at the same time are created once."""

from __future__ import annotations

import asyncio

import pytest

from restream_async import BadRequestError, Created, InternalServerError, Origin
from restream_async._operations.create_options import CHECK_FIRST
from restream_async._operations.create_result import CreateFailed
from restream_async._operations.existence import key_of
from restream_async._operations.turns import Turns
from restream_async._retry.deadline import Deadline
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.client_calls import outcomes_of
from tests.helpers.in_memory_service import Backend, Fate, in_memory_client, new
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import Peer, RawServer, Seen, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    as_asked,
    created,
    listed,
    new_restream,
    on_the_wire,
)

NEW = new_restream()
THERE = listed(on_the_wire(NEW, 7))


async def test_two_creations_of_the_same_at_once_are_one() -> None:
    async with Sandbox(latency=0.01) as sandbox, leak_checked_client(sandbox) as client:
        first, second = await asyncio.gather(client.create(NEW), client.create(NEW))

    assert first == second
    assert sandbox.counts.posts == 1
    assert len(sandbox.stored) == 1


async def test_a_hundred_creations_of_the_same_at_once_are_one() -> None:
    async with (
        Sandbox(latency=0.001) as sandbox,
        leak_checked_client(sandbox, max_in_flight=8) as client,
    ):
        restreams = await asyncio.gather(*(client.create(NEW) for _ in range(100)))

    assert len({restream.id for restream in restreams}) == 1
    assert (sandbox.counts.posts, len(sandbox.stored)) == (1, 1)


async def test_a_creation_whose_turn_does_not_come_before_its_deadline_sent_nothing() -> None:
    backend = Backend()
    client = in_memory_client(backend)
    client.creator.turns.begin(key_of(new()))
    deadline = Deadline(client.executor.clock.now, 0.01)
    result = await client.creator.create(new(), deadline)

    assert isinstance(result, CreateFailed)
    assert "an equal restream was being created until the deadline" in str(result.error)
    assert (result.attempts, backend.sent) == (0, [])


async def test_the_title_makes_no_difference_and_the_key_does() -> None:
    renamed = new_restream(title="Another title")
    other = new_restream(stream_key="another-key")
    async with Sandbox(latency=0.01) as sandbox, leak_checked_client(sandbox) as client:
        first, second, third = await asyncio.gather(*map(client.create, [NEW, renamed, other]))

    assert first == second != third
    assert len(sandbox.stored) == 2


async def test_the_second_one_of_a_bulk_run_is_existing() -> None:
    async with Sandbox(latency=0.01) as sandbox, leak_checked_client(sandbox) as client:
        outcomes = await outcomes_of(client, [NEW, NEW])

    found = {outcome.index: outcome for outcome in outcomes if isinstance(outcome, Created)}
    assert [found[index].origin for index in (0, 1)] == [Origin.POSTED, Origin.EXISTING]
    assert [found[index].attempts for index in (0, 1)] == [1, 0]
    assert found[0].restream == found[1].restream
    assert sandbox.counts.posts == 1


async def test_waiting_for_the_same_holds_no_slot() -> None:
    """With two slots, the second one of a pair must not keep others out."""
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=2) as client,
    ):
        tasks = [asyncio.create_task(client.create(NEW)) for _ in range(2)]
        run = client.create_many([NEW, new_restream("v2")])
        async with run:
            await server.arrived(2)
            assert [b'"v1"' in seen.body for seen in server.requests] == [True, False]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assert_nothing_left(client)


async def test_different_keys_are_created_at_the_same_time() -> None:
    together = asyncio.Barrier(3)

    async def meet(peer: Peer, seen: Seen) -> None:
        await together.wait()
        await as_asked(peer, seen)

    async with RawServer(post=meet) as server, leak_checked_client(server) as client:
        keys = [new_restream("v1"), new_restream("v2"), new_restream(stream_key="another-key")]
        await asyncio.gather(*map(client.create, keys))

    assert server.counts == {"POST": 3}


async def test_after_a_failure_the_next_one_checks_and_creates() -> None:
    refusal = answer(b"", "400 Bad Request")
    async with (
        RawServer(post=[refusal, created()], get=listed()) as server,
        leak_checked_client(server) as client,
    ):
        first, second = await asyncio.gather(
            client.create(NEW), client.create(NEW), return_exceptions=True
        )

    assert isinstance(first, BadRequestError)
    assert getattr(second, "id", None) == 7
    assert server.order == "POST GET POST"


async def test_after_a_cancellation_the_next_one_checks_and_finds() -> None:
    async with (
        RawServer(post=then_hang(), get=THERE) as server,
        leak_checked_client(server) as client,
    ):
        first = asyncio.create_task(client.create(NEW))
        second = asyncio.create_task(client.create(NEW))
        await server.arrived()
        first.cancel()
        restream = await second

    assert first.cancelled()
    assert (restream.id, server.order) == (7, "POST GET")


async def test_a_creation_that_waits_for_an_equal_one_can_be_cancelled() -> None:
    async with RawServer(post=then_hang()) as server, leak_checked_client(server) as client:
        tasks = [asyncio.create_task(client.create(NEW)) for _ in range(3)]
        await server.arrived()
        tasks[1].cancel()
        await asyncio.wait([tasks[1]], timeout=1)
        assert tasks[1].cancelled()
        assert not tasks[2].done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assert_nothing_left(client)

    assert server.counts == {"POST": 1}


async def test_one_that_checks_in_vain_lets_the_next_one_try() -> None:
    async with (
        RawServer(post=[INTERNAL_ERROR], get=[listed(), INTERNAL_ERROR, THERE]) as server,
        leak_checked_client(server, attempts=1) as client,
    ):
        first, second, third = await asyncio.gather(
            *(client.create(NEW) for _ in range(3)), return_exceptions=True
        )

    assert isinstance(first, InternalServerError)
    assert isinstance(second, InternalServerError)
    assert getattr(third, "id", None) == 7


@pytest.mark.parametrize("fault", [Fault.INTERNAL_ERROR, Fault.RESET, Fault.TRUNCATED])
async def test_pairs_through_faults_are_stored_once_each(fault: Fault) -> None:
    faults = Faults(before={fault: 0.3}, after={fault: 0.3}, max_faults=3, retry_after=None)
    requests = [new_restream(f"v{number}") for number in range(20) for _ in range(3)]
    async with (
        Sandbox(faults=faults, seed=3) as sandbox,
        leak_checked_client(sandbox, attempts=9) as client,
    ):
        outcomes = await outcomes_of(client, requests)

    assert all(isinstance(outcome, Created) for outcome in outcomes)
    assert len(outcomes) == 60
    assert len(sandbox.stored) == 20
    assert sandbox.duplicates() == ()


def test_the_creations_of_a_video_that_end_while_it_is_watched_are_named() -> None:
    turns = Turns()
    first, second, elsewhere = key_of(new("a")), key_of(new("b")), key_of(new("a", video="v2"))
    for key in (first, second, elsewhere):
        turns.begin(key)
    turns.end(first, in_doubt=False)
    with turns.watch("v1") as ended:
        turns.end(elsewhere, in_doubt=False)
        assert not ended
        turns.end(second, in_doubt=True)
        assert ended == {second}
    turns.begin(first)
    turns.end(first, in_doubt=False)
    assert ended == {second}


def test_others_for_the_same_video_and_url_are_rivals_as_long_as_they_may_exist() -> None:
    turns = Turns()
    first = key_of(new("a"))
    turns.begin(first)
    assert turns.has_rivals(new("b"))
    assert not turns.has_rivals(new("a"))
    assert not turns.has_rivals(new("b", video="v2"))
    turns.end(first, in_doubt=True)
    assert turns.has_rivals(new("b"))
    turns.resolve(first)
    assert not turns.has_rivals(new("b"))


def test_the_oldest_of_very_many_doubts_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async._operations.turns._MOST_UNRESOLVED", 2)
    turns = Turns()
    for video in ("v1", "v2", "v3"):
        turns.begin(key_of(new(video=video)))
        turns.end(key_of(new(video=video)), in_doubt=True)
    rivals = [turns.has_rivals(new("b", video=video)) for video in ("v1", "v2", "v3")]
    assert rivals == [False, True, True]


async def test_one_that_ended_in_doubt_stays_a_rival_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With keys left out, the only late restream may be its own."""
    monkeypatch.setattr("restream_async._operations.turns._MOST_UNRESOLVED", 1)
    backend = Backend()
    client = in_memory_client(backend, attempts=1)
    creator, caller = client.creator, client.executor
    doubtful = new("a")
    for wanted in (new("a", video="v2"), doubtful):
        backend.meets("POST", Fate.LOST_AFTER)
        backend.meets("GET", Fate.LOST_BEFORE)
        assert isinstance(await creator.create(wanted, caller.begin_call()), CreateFailed)
    assert creator.turns.has_rivals(new("b"))
    assert not creator.turns.has_rivals(doubtful), "it is no rival of itself"
    assert not creator.turns.has_rivals(new("b", video="v2")), "only so many are remembered"
    await creator.create(doubtful, caller.begin_call(), CHECK_FIRST)
    assert not creator.turns.has_rivals(new("b"))
