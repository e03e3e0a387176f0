"""Checking before creating, where one video has many restreams: few lists, and nothing twice."""

from __future__ import annotations

import asyncio

import pytest

from restream_async import AttemptTimeoutError, Failed, RetryPolicy
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.leak_checks import client_of
from tests.helpers.raw_server import RawServer, then_hang
from tests.helpers.samples import answer, as_asked, listed, new_restream

MANY = [new_restream("v1", stream_key=f"key-{number}") for number in range(50)]


async def test_checks_of_one_video_at_the_same_time_share_their_lists() -> None:
    # On a clock that stands still, no list is certain to be younger than a check.
    async with (
        Sandbox(latency=0.02) as sandbox,
        client_of(sandbox, clock=Clock()) as client,
    ):
        await asyncio.gather(*map(client.ensure, MANY))

    assert len(sandbox.stored) == len(MANY)
    assert sandbox.counts.lists == 2, "one for the first, and one for all others"


async def test_one_after_the_other_each_gets_a_fresh_list() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        for new in MANY[:5]:
            await client.ensure(new)

    assert sandbox.counts.lists == 5


async def test_where_a_recent_list_is_good_enough_one_serves_many_creations() -> None:
    async with Sandbox() as sandbox, client_of(sandbox) as client:
        # The second time each is looked for anew, because this client has created it.
        for new in [*MANY[:20], *MANY[:3]]:
            await client.outcome(new, ensure=True, recent=True)

    assert len(sandbox.stored) == 20
    assert sandbox.counts.lists <= 5


async def test_a_recent_list_is_not_used_for_what_is_in_doubt_since() -> None:
    """An attempt whose outcome nobody knows must be looked for, however recent the list."""
    async with (
        RawServer(post=[then_hang(), as_asked], get=listed()) as server,
        client_of(server) as client,
    ):
        first = asyncio.create_task(client.outcome(MANY[0], ensure=True, recent=True))
        await server.arrived(2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await client.outcome(MANY[1], ensure=True, recent=True)
        await client.outcome(MANY[0], ensure=True, recent=True)

    assert server.order == "GET POST POST GET POST"


async def test_a_check_that_waits_for_a_list_ends_with_its_own_deadline() -> None:
    retry = RetryPolicy(deadline=0.3)
    async with RawServer(get=then_hang()) as server, client_of(server, retry=retry) as client:
        ends = await asyncio.gather(*(client.outcome(new, ensure=True) for new in MANY[:2]))

    assert server.order == "GET"
    errors = [end.error for end in ends if isinstance(end, Failed)]
    assert [type(error) for error in errors] == [AttemptTimeoutError] * 2
    assert "another list of the video was in progress" in str(errors[1])


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Built"])
async def test_that_a_service_has_nothing_to_list_is_shared_too(status: str) -> None:
    async with (
        RawServer(post=as_asked, get=answer(b"", status)) as server,
        client_of(server) as client,
    ):
        for new in MANY[:3]:
            await client.outcome(new, ensure=True, recent=True)

    assert server.order == "GET POST POST POST"
