"""What `restream_async.testing` offers to the tests of others."""

import asyncio
import json
import urllib.request
from collections.abc import Generator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from restream_async import NewRestream, RestreamClient, RestreamError
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.testing import instant_clock, restream_client, restream_sandbox

__all__ = ["restream_client", "restream_sandbox"]

# Where it is broken, a test hangs.
pytestmark = pytest.mark.timeout(30)

NEW = NewRestream(
    video_id="v", title="t", stream_url="rtmp://h.example/a", stream_key="key-1", status=True
)


async def test_the_client_belongs_to_the_sandbox_and_its_retries_never_wait(
    restream_client: RestreamClient, restream_sandbox: Sandbox
) -> None:
    restream_sandbox.faults = Faults(
        before={Fault.BACKEND_FETCH_FAILED: 1.0}, retry_after="5", max_faults=4
    )
    restream = await restream_client.create(NEW)
    assert [item.id for item in restream_sandbox.stored] == [restream.id]
    assert restream_sandbox.counts.posts == 5


async def test_the_clock_moves_only_in_sleep_and_is_seeded() -> None:
    clock, other = instant_clock(7), instant_clock(7)
    assert clock.now() == 0.0
    await clock.sleep(90.0)
    assert (clock.now(), clock.wall_clock()) == (90.0, 90.0)
    assert [clock.random() for _ in range(3)] == [other.random() for _ in range(3)]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(scope, marks=pytest.mark.asyncio(loop_scope=scope))
        for scope in ("function", "class", "module", "package", "session")
    ],
)
async def test_the_client_works_on_the_loop_of_every_scope(
    scope: str, restream_client: RestreamClient, restream_sandbox: Sandbox
) -> None:
    del scope
    await restream_client.create(NEW)
    assert (await restream_client.create_all([NEW])).created
    assert restream_sandbox.counts.posts == 2


def test_a_synchronous_test_can_use_the_sandbox(restream_sandbox: Sandbox) -> None:
    body = {"videoId": "v", "title": "t", "streamUrl": "rtmp://h/a", "streamKey": "k"}
    request = urllib.request.Request(  # noqa: S310 - to this machine
        f"{restream_sandbox.base_url}/api/v1/{restream_sandbox.project_id}/restreams",
        json.dumps({**body, "status": True}).encode(),
        {"Authorization": restream_sandbox.api_key},
    )

    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
        assert answer.status == 201

    assert len(restream_sandbox.stored) == restream_sandbox.counts.posts == 1
    assert restream_sandbox.duplicates() == ()


def test_a_synchronous_test_can_use_the_client_in_an_event_loop_that_it_runs(
    restream_client: RestreamClient, restream_sandbox: Sandbox
) -> None:
    asyncio.run(create_two(restream_client))

    assert len(restream_sandbox.stored) == 2
    with pytest.raises(RestreamError):
        asyncio.run(restream_client.create(NEW))


async def create_two(client: RestreamClient) -> None:
    async with client.create_many([NEW, NEW], repeats="create") as run:
        assert [outcome.index async for outcome in run] == [0, 1]


@pytest.fixture(scope="module")
def portal() -> Generator[BlockingPortal]:
    """Give the event loop of another thread, as test clients of web frameworks use one."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.mark.parametrize("number", range(2))
def test_the_client_is_closed_on_a_running_loop_of_another_thread(
    number: int,
    portal: BlockingPortal,
    restream_client: RestreamClient,
    restream_sandbox: Sandbox,
) -> None:
    del number
    assert portal.call(restream_client.create, NEW).id == restream_sandbox.stored[0].id


def test_an_unused_client_needs_no_loop(restream_client: RestreamClient) -> None:
    assert restream_client.stats().attempts == 0
