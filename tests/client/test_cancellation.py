"""Cancelling a call at every await that it passes: at once, for good, and without a trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import attrs
import pytest

from restream_async import NewRestream, RestreamClient
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.cancellation_points import Suspensions
from tests.helpers.fast_clock import FastClock, never
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client, settle
from tests.helpers.raw_server import Peer, RawServer, Seen, then_close, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    as_asked,
    created,
    envelope,
    listed,
    many,
    new_restream,
    on_the_wire,
)

NEW: Final = new_restream()
THERE: Final = listed(on_the_wire(NEW, 9))
DELETED: Final = answer(envelope(result=True))

Act: TypeAlias = Callable[[RestreamClient], Coroutine[Any, Any, object]]


async def _after_a_moment(peer: Peer, seen: Seen) -> None:
    await asyncio.sleep(0.003)
    await as_asked(peer, seen)


@attrs.frozen
class Scene:
    """A call in a world of its own.

    Attributes:
        act: what is cancelled.
        script: what the server answers.
        settings: of the client.
        beside: calls that are under way meanwhile, begun before it.

    """

    act: Act
    script: dict[str, Any]
    settings: dict[str, Any] = attrs.field(factory=dict[str, Any])
    beside: tuple[Act, ...] = ()


def _create(new: NewRestream) -> Act:
    return lambda client: client.create(new)


SCENES: Final = {
    "a creation": Scene(_create(NEW), {"post": created()}),
    "a list": Scene(lambda client: client.list("v1"), {"get": listed()}),
    "a toggle": Scene(
        lambda client: client.toggle(7), {"put": answer(envelope({"id": 7, "status": True}))}
    ),
    "a deletion": Scene(lambda client: client.delete(7), {}),
    "a retry": Scene(
        _create(NEW),
        {"post": [INTERNAL_ERROR, then_close(), created()]},
        {"in_doubt": "resend"},
    ),
    "a look": Scene(_create(NEW), {"post": then_close(), "get": [INTERNAL_ERROR, THERE]}),
    "a last look": Scene(_create(NEW), {"post": INTERNAL_ERROR, "get": THERE}, {"attempts": 1}),
    "an ensure": Scene(lambda client: client.ensure(NEW), {"get": listed(), "post": created()}),
    "waiting for a place": Scene(
        _create(NEW),
        {"post": _after_a_moment},
        {"max_in_flight": 1},
        beside=(_create(new_restream("beside")), _create(new_restream("before"))),
    ),
    "waiting for the same": Scene(
        _create(NEW), {"post": _after_a_moment, "get": THERE}, beside=(_create(NEW),)
    ),
}


@asynccontextmanager
async def _open(scene: Scene) -> AsyncGenerator[tuple[RawServer, RestreamClient]]:
    script: dict[str, Any] = {"delete": DELETED, **scene.script}
    async with (
        RawServer(**script) as server,
        leak_checked_client(server, **scene.settings) as client,
    ):
        yield server, client


@pytest.mark.parametrize("late", [False, True], ids=["while awaiting", "as it comes"])
@pytest.mark.parametrize("name", SCENES)
async def test_it_can_be_cancelled_at_every_await(name: str, late: bool) -> None:  # noqa: FBT001 - a parameter
    scene = SCENES[name]
    fatal = 0
    cancelled = 0
    while True:
        fatal += 1
        async with _open(scene) as (server, client):
            beside = [asyncio.create_task(act(client)) for act in scene.beside]
            await asyncio.sleep(0)
            suspensions = Suspensions(fatal, late)
            task = suspensions.of(scene.act(client))
            await asyncio.wait([task], timeout=2)
            assert task.done()
            assert len(await asyncio.gather(*beside)) == len(beside)
            if task.cancelled():
                cancelled += 1
                # At once: what is left is to close a connection.
                assert suspensions.count <= fatal + 1
            else:
                # In the very moment when it came, the answer may win.
                assert late or not suspensions.reached
                assert await task is not None
            await assert_nothing_left(client)
            # What had left may still arrive; nothing else follows it.
            await asyncio.sleep(0.001)
            requests = len(server.requests)
            await asyncio.sleep(0.002)
            assert len(server.requests) == requests
            # The client is as good as new.
            assert await client.delete(1) is True
        if not suspensions.reached:
            break

    assert fatal - 1 >= cancelled >= fatal // 2
    assert cancelled >= 2


WAITS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "for the answer": ({"post": then_hang()}, {}),
    "for the time to retry": ({"post": INTERNAL_ERROR}, {"in_doubt": "resend"}),
    "for a look": ({"post": then_close(), "get": then_hang()}, {}),
}


@asynccontextmanager
async def _waiting(name: str) -> AsyncGenerator[tuple[RawServer, RestreamClient]]:
    """A client whose creations never end."""
    script, settings = WAITS[name]
    clock = FastClock(meanwhile=never) if name == "for the time to retry" else FastClock()
    async with (
        RawServer(**script) as server,
        leak_checked_client(server, clock=clock, timeout=60.0, **settings) as client,
    ):
        yield server, client


@pytest.mark.parametrize("name", WAITS)
async def test_a_time_out_of_asyncio_around_it_works(name: str) -> None:
    async with _waiting(name) as (server, client):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.create(NEW)
        await assert_nothing_left(client)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.create(NEW), 0.1)
        assert time.monotonic() - begun < 1
        await assert_nothing_left(client)

    assert server.counts["POST"] == 2


@pytest.mark.parametrize("name", WAITS)
async def test_cancelling_a_task_group_around_it_works(name: str) -> None:
    async with _waiting(name) as (server, client):

        async def fail() -> None:
            await server.arrived(5, "POST")
            raise ZeroDivisionError

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                for act in (*map(client.create, many(5)), fail()):
                    group.create_task(act)

        with pytest.raises(ExceptionGroup) as caught:
            await all_at_once()
        await assert_nothing_left(client)

    assert caught.value.subgroup(ZeroDivisionError)
    assert server.counts["POST"] == 5


async def test_waiting_for_a_place_can_be_timed_out() -> None:
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        holder = asyncio.create_task(client.create(NEW))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.list("v1"), 0.02)
        stats = client.stats()
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)

    assert (stats.in_flight, stats.waiting) == (1, 0)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("first", [0, 1])
async def test_a_creation_in_flight_and_one_that_waits_can_be_cancelled_together(
    turns: int, first: int
) -> None:
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, max_in_flight=1) as client,
    ):
        tasks = [asyncio.create_task(client.create(new)) for new in many(3)]
        await server.arrived()
        order = [tasks[first], tasks[1 - first]]
        order[0].cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        order[1].cancel()
        tasks[2].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        await assert_nothing_left(client)

    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3


@pytest.mark.parametrize("moment", [0.005, 0.02], ids=["just before", "just after"])
async def test_a_cancellation_at_the_time_out_is_still_a_cancellation(moment: float) -> None:
    """Both come in the same turn of the loop: the one from outside must not be swallowed."""
    async with (
        RawServer(post=then_hang()) as server,
        leak_checked_client(server, timeout=0.01, attempts=1, in_doubt="resend") as client,
    ):
        task = asyncio.create_task(client.create(NEW))
        asyncio.get_running_loop().call_later(moment, task.cancel)
        await asyncio.sleep(0)
        # The loop stands still until both are due.
        time.sleep(0.05)  # noqa: ASYNC251
        await asyncio.wait([task])
        await assert_nothing_left(client)

    assert task.cancelled()


async def test_after_a_time_out_within_another_one_the_outer_one_still_works() -> None:
    """A time-out of ours must leave no mark of a cancellation on the task."""
    async with (
        RawServer(get=[then_hang(), listed()]) as server,
        leak_checked_client(server, timeout=0.1, attempts=2) as client,
    ):

        async def time_out_and_wait() -> None:
            assert await client.list("v1") == []
            task = asyncio.current_task()
            assert task is not None
            assert (task.cancelling(), server.counts) == (0, {"GET": 2})
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.4):
                await time_out_and_wait()

    assert type(caught.value) is TimeoutError


async def _all(client: RestreamClient, requests: Iterable[NewRestream]) -> int:
    async with client.create_many(requests) as run:
        return len([outcome async for outcome in run])


@pytest.mark.parametrize("late", [False, True], ids=["while awaiting", "as it comes"])
async def test_a_bulk_run_can_be_cancelled_at_every_await_of_its_consumer(late: bool) -> None:  # noqa: FBT001 - a parameter
    faults = Faults(before={Fault.RESET: 0.2}, max_faults=1)
    fatal = 0
    ends: list[Awaitable[int]] = []
    while True:
        fatal += 1
        async with (
            Sandbox(faults=faults, seed=2) as sandbox,
            leak_checked_client(sandbox, max_in_flight=2) as client,
        ):
            suspensions = Suspensions(fatal, late)
            task = suspensions.of(_all(client, many(6)))
            await asyncio.wait([task], timeout=5)
            assert task.done()
            await assert_nothing_left(client)
            posts = sandbox.counts.posts
            await settle()
            assert sandbox.counts.posts == posts
            if not task.cancelled():
                ends.append(task)
        if not suspensions.reached:
            break

    assert fatal > 3
    assert await ends[-1] == 6
