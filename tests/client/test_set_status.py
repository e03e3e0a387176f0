"""`set_status` over HTTP: what is sent, and what is true afterwards."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import attrs
import pytest

from restream_async import (
    ClientClosedError,
    InvalidRestreamError,
    OutcomeUnknownError,
    Restream,
    RestreamError,
)
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.client_calls import failure_of
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import (
    BACKEND_FETCH_FAILED,
    SECRETS,
    answer,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

KINDS = (Fault.INTERNAL_ERROR, Fault.RESET, Fault.GARBAGE, Fault.TRUNCATED)
ON = on_the_wire(new_restream())
OFF = {**ON, "status": False}
RESTREAM = Restream(id=7, title="YouTube", stream_key="", stream_url="", status=True, video_id="v1")
TOGGLED = answer(envelope({"id": 7, "status": False}))


async def test_it_lists_toggles_and_lists_again() -> None:
    async with (
        RawServer(get=[listed(ON), listed(OFF)], put=TOGGLED) as server,
        leak_checked_client(server) as client,
    ):
        after = await client.set_status(RESTREAM, on=False)

    assert (after.id, after.status) == (7, False)
    first, toggle, second = server.requests
    assert (toggle.method, toggle.path) == ("PUT", "/api/v1/p1/restreams/7/toggle")
    assert toggle.body == b""
    for request in (first, second):
        assert request.path.startswith("/api/v1/p1/live-video/v1/restreams?_=")
    assert first.path != second.path, "no cache has an answer to either"


async def test_the_first_toggle_of_the_cache_error_page_is_checked_before_a_second() -> None:
    async with (
        RawServer(get=[listed(ON), listed(OFF)], put=BACKEND_FETCH_FAILED) as server,
        leak_checked_client(server) as client,
    ):
        after = await client.set_status(RESTREAM, on=False)

    assert after.status is False
    assert server.order == "GET PUT GET"


async def test_no_error_shows_a_secret() -> None:
    new = new_restream()
    restream = attrs.evolve(RESTREAM, stream_key=new.stream_key, stream_url=new.stream_url)
    echo = answer(" ".join(SECRETS).encode(), "503 Oops")
    async with (
        RawServer(get=[listed(ON), echo], put=echo) as server,
        leak_checked_client(server) as client,
    ):
        error = await failure_of(client.set_status(restream, on=False), OutcomeUnknownError)

    assert error.__cause__ is None
    assert error.__context__ is None
    shown = f"{error!r} {error} {error.doubt} {vars(error)}"
    assert "503 Oops" in shown
    assert not [secret for secret in SECRETS if secret in shown]


async def test_two_at_the_same_time_toggle_once() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        restream = await client.create(new_restream(status=True))
        first, second = await asyncio.gather(
            client.set_status(restream, on=False), client.set_status(restream, on=False)
        )

        assert first == second == attrs.evolve(restream, status=False)
        assert sandbox.counts.toggles == 1


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_lost_the_status_is_the_wanted_one_or_the_error_says_that_it_is_unknown(
    seed: int,
) -> None:
    faults = Faults(other=dict.fromkeys(KINDS, 0.2), listing=dict.fromkeys(KINDS, 0.12))
    async with (
        Sandbox(seed=seed, ids="str") as sandbox,
        leak_checked_client(sandbox, attempts=3) as client,
    ):
        restreams = [
            await client.create(new_restream(f"v{number % 5}", title=f"T{number}"))
            for number in range(15)
        ]
        wanted = [number % 3 == 0 for number in range(15)]
        sandbox.faults = faults
        ends = await asyncio.gather(
            *map(client.set_status, restreams, wanted), return_exceptions=True
        )
        stored = sandbox.stored

    for end, on, now in zip(ends, wanted, stored, strict=True):
        if isinstance(end, Restream):
            assert (end.id, end.status, now.status) == (now.id, on, on)
        elif not isinstance(end, OutcomeUnknownError):
            assert isinstance(end, RestreamError)
            assert now.status is True, "nothing was sent"
    assert sum(isinstance(end, Restream) for end in ends) > 7


@pytest.mark.parametrize("on", ["off", 0, None])
async def test_what_is_no_boolean_is_refused(on: object) -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        error = await failure_of(client.set_status(RESTREAM, cast("Any", on)), InvalidRestreamError)

    assert error.field == "status"
    assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"video_id": ""}, "video_id"), ({"id": ".."}, "restream_id"), ({"id": " "}, "restream_id")],
)
async def test_a_restream_without_usable_ids_is_refused(
    changes: dict[str, Any], field: str
) -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        restream = attrs.evolve(RESTREAM, **changes)
        error = await failure_of(client.set_status(restream, on=False), InvalidRestreamError)

    assert error.field == field
    assert server.requests == []


async def test_a_drained_client_refuses_it() -> None:
    async with RawServer() as server, leak_checked_client(server) as client:
        await client.drain()
        await failure_of(client.set_status(RESTREAM, on=False), ClientClosedError)

    assert server.requests == []


async def test_a_cancelled_call_leaves_its_turn_to_the_next() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        restream = await client.create(new_restream(status=True))
        sandbox.latency = 0.05
        first = asyncio.create_task(client.set_status(restream, on=False))
        second = asyncio.create_task(client.set_status(restream, on=False))
        await asyncio.sleep(0.02)
        first.cancel()
        after = await second

        assert after.status is False
        assert first.cancelled()
        assert sandbox.counts.toggles == 1
