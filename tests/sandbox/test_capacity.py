from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.sandbox.capacity import Capacity
from tests.helpers.polling import until
from tests.helpers.sandbox_client import (
    create_body,
    occupied,
    open_client,
    raw_connection,
    raw_request,
    until_in_flight,
)

if TYPE_CHECKING:
    import random

WISH = raw_request(json.dumps(create_body("left")).encode())


async def test_requests_beyond_capacity_and_queue_are_shed_and_have_no_effect() -> None:
    sandbox = Sandbox(capacity=2, queue=1)
    async with open_client(sandbox) as client:
        async with occupied(sandbox, count=2):
            waiting = asyncio.create_task(client.outcome_of_create("waiting"))
            await until_in_flight(sandbox, 3)
            assert await client.outcome_of_create("shed") == "page"
            assert await client.outcome_of_create("shed") == "page"
        assert await waiting == "201"

    assert [stored.video_id for stored in sandbox.stored] == ["waiting"]
    assert sandbox.counts.shed == 2


async def test_without_a_queue_requests_above_the_capacity_are_shed() -> None:
    sandbox = Sandbox(capacity=1)
    async with open_client(sandbox) as client, occupied(sandbox):
        assert await client.outcome_of_create() == "page"


async def test_an_unbounded_queue_sheds_nothing_and_serves_first_come_first_served() -> None:
    sandbox = Sandbox(capacity=1, queue=None)
    sent: list[asyncio.Task[str]] = []
    async with open_client(sandbox) as client:
        async with occupied(sandbox):
            for number in range(20):
                sent.append(asyncio.create_task(client.outcome_of_create(f"v{number}")))
                await until_in_flight(sandbox, number + 2)
        outcomes = await asyncio.gather(*sent)

    assert outcomes == ["201"] * 20
    assert [stored.video_id for stored in sandbox.stored] == [f"v{number}" for number in range(20)]


async def test_no_more_requests_are_served_at_once_than_there_are_slots() -> None:
    sandbox = Sandbox(capacity=2, queue=None, latency=0.005)
    loop = asyncio.get_running_loop()
    async with open_client(sandbox) as client:
        started = loop.time()
        outcomes = await asyncio.gather(
            *(client.outcome_of_create(f"v{number}") for number in range(8))
        )

    assert outcomes == ["201"] * 8
    assert loop.time() - started >= 8 / 2 * 0.005


async def test_without_a_capacity_all_are_served_at_once() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client, occupied(sandbox, count=50):
        assert await client.outcome_of_create() == "201"


async def test_the_effect_comes_after_the_latency() -> None:
    sandbox = Sandbox(latency=0.02)
    loop = asyncio.get_running_loop()
    async with open_client(sandbox) as client:
        started = loop.time()
        creation = asyncio.create_task(client.create())
        await until(lambda: sandbox.stored, pause=0)
        assert loop.time() - started >= 0.02
        await creation


async def test_a_drawn_latency_is_the_same_for_the_same_seed() -> None:
    async def drawn(seed: int) -> list[float]:
        numbers: list[float] = []

        def latency(rng: random.Random) -> float:
            numbers.append(rng.uniform(0.0001, 0.001))
            return numbers[-1]

        async with open_client(Sandbox(latency=latency, seed=seed)) as client:
            for _ in range(3):
                await client.create()
        return numbers

    assert await drawn(1) == await drawn(1) != await drawn(2)


async def test_a_client_that_leaves_the_queue_makes_room_and_has_no_effect() -> None:
    sandbox = Sandbox(capacity=1, queue=1)
    async with open_client(sandbox) as client:
        async with occupied(sandbox):
            async with raw_connection(sandbox) as (_, writer):
                writer.write(WISH)
                await until_in_flight(sandbox, 2)
            await until_in_flight(sandbox, 1)
            waiting = asyncio.create_task(client.outcome_of_create("next"))
            await until_in_flight(sandbox, 2)
        assert await waiting == "201"

    assert [stored.video_id for stored in sandbox.stored] == ["next"]
    assert sandbox.counts.shed == 0


async def test_a_client_that_leaves_a_hanging_request_frees_its_slot() -> None:
    sandbox = Sandbox(capacity=1, faults=Faults(before={Fault.HANG: 1.0}))
    async with open_client(sandbox) as client:
        async with raw_connection(sandbox) as (_, writer):
            writer.write(WISH)
            await until_in_flight(sandbox, 1)
            assert await client.outcome_of_create() == "page"
            assert sandbox.counts.shed == 1
        await until_in_flight(sandbox, 0)
        sandbox.faults = Faults()
        assert await client.outcome_of_create() == "201"


async def test_work_that_has_started_is_finished_although_the_client_leaves() -> None:
    sandbox = Sandbox(capacity=1, latency=0.1)
    async with open_client(sandbox) as client:
        async with raw_connection(sandbox) as (_, writer):
            writer.write(WISH)
            await until_in_flight(sandbox, 1)
        await until_in_flight(sandbox, 0)
        assert await client.outcome_of_create("meanwhile") == "page"
        await sandbox.settle()
        assert await client.outcome_of_create("afterwards") == "201"

    assert [stored.video_id for stored in sandbox.stored] == ["left", "afterwards"]


async def test_a_request_that_hangs_after_its_client_left_frees_its_slot() -> None:
    sandbox = Sandbox(capacity=1, latency=0.05, faults=Faults(after={Fault.HANG: 1.0}))
    async with open_client(sandbox) as client:
        async with raw_connection(sandbox) as (_, writer):
            writer.write(WISH)
            await until_in_flight(sandbox, 1)
        await sandbox.settle()
        sandbox.faults = Faults()
        assert await client.outcome_of_create("afterwards") == "201"


async def test_an_incomplete_request_has_no_effect() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        async with raw_connection(sandbox) as (_, writer):
            writer.write(WISH[:-5])
            await writer.drain()
            await client.list("v1")
        await client.list("v1")

    assert (sandbox.stored, sandbox.counts.posts) == ((), 0)


async def test_raising_the_capacity_serves_the_next_in_the_queue() -> None:
    sandbox = Sandbox(capacity=1, queue=None)
    async with open_client(sandbox) as client, occupied(sandbox):
        waiting = asyncio.create_task(client.outcome_of_create())
        await until_in_flight(sandbox, 2)
        sandbox.capacity = 2
        assert await waiting == "201"
        assert sandbox.capacity == 2


async def test_lowering_the_capacity_ends_no_request_and_starts_fewer() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client, occupied(sandbox), occupied(sandbox):
        sandbox.capacity = 1
        assert sandbox.counts.in_flight == 2
        assert await client.outcome_of_create() == "page"


async def test_the_queue_can_be_replaced_while_the_sandbox_is_open() -> None:
    sandbox = Sandbox(capacity=1, queue=0)
    async with open_client(sandbox) as client:
        async with occupied(sandbox):
            sandbox.queue = 1
            waiting = asyncio.create_task(client.outcome_of_create())
            await until_in_flight(sandbox, 2)
            assert await client.outcome_of_create() == "page"
        assert await waiting == "201"
        assert sandbox.queue == 1


async def test_the_latency_can_be_replaced_while_the_sandbox_is_open() -> None:
    sandbox = Sandbox(latency=60)
    async with open_client(sandbox) as client:
        sandbox.latency = 0
        assert await client.outcome_of_create() == "201"
        assert sandbox.latency == 0


def test_a_capacity_below_one_is_refused() -> None:
    sandbox = Sandbox()
    with pytest.raises(ValueError, match=r"^capacity must be None or >= 1, not 0"):
        sandbox.capacity = 0
    with pytest.raises(ValueError, match=r"^capacity must be None or >= 1, not 0"):
        Sandbox(capacity=0)


def test_a_negative_queue_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^queue must be None or >= 0, not -1"):
        Sandbox(queue=-1)


def test_a_negative_latency_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^latency must be >= 0 seconds, not -1"):
        Sandbox(latency=-1)


async def acquire(capacity: Capacity) -> asyncio.Task[object]:
    waiting: asyncio.Task[object] = asyncio.create_task(capacity.acquire())
    await asyncio.sleep(0)
    return waiting


async def test_a_turn_that_comes_while_its_client_leaves_goes_to_the_next() -> None:
    capacity = Capacity(limit=1, queue=None)
    slot = await capacity.acquire()
    assert slot is not None
    leaving, next_in_line = await acquire(capacity), await acquire(capacity)

    slot.release()
    leaving.cancel()

    assert await asyncio.wait_for(next_in_line, 1) is not None
    assert leaving.cancelled()


async def test_a_turn_is_not_given_to_a_client_that_has_just_left() -> None:
    capacity = Capacity(limit=1, queue=None)
    slot = await capacity.acquire()
    assert slot is not None
    leaving, next_in_line = await acquire(capacity), await acquire(capacity)

    leaving.cancel()
    slot.release()

    assert await asyncio.wait_for(next_in_line, 1) is not None
