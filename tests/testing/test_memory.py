"""A sandbox in memory does what a sandbox on a port does, without a port and without a wait."""

import asyncio
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from restream_async import (
    BackendFetchFailedError,
    ClientClosedError,
    Created,
    MalformedResponseError,
    NewRestream,
    NotFoundError,
    Origin,
    RestreamError,
    RetryPolicy,
    TransportError,
    UnauthorizedError,
)
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.testing import MemorySandbox, assert_stored, sandbox_client
from tests.helpers.examples import new

# A real wait would be one of minutes.
pytestmark = pytest.mark.timeout(30)
ONCE = RetryPolicy(attempts=1)


@contextmanager
def without_network() -> Generator[None]:
    """Let nothing open a socket."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise AssertionError("it must not open a socket")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield


@pytest.mark.parametrize("kind", [Sandbox, MemorySandbox])
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_client_sees_the_same_in_both(
    kind: type[Sandbox | MemorySandbox],
    fault: Fault,
    after_effect: bool,  # noqa: FBT001 - as pytest hands it over
) -> None:
    with kind() as sandbox:
        sandbox.fail_next(fault, after_effect=after_effect)
        async with sandbox_client(sandbox, timeout=0.2, in_doubt="confirm") as client:
            outcome = await client.outcome(new())
            assert isinstance(outcome, Created)
            listed = await client.list("v1")
            toggled = await client.toggle(outcome.restream.id)
            deleted = await client.delete(outcome.restream.id)

    assert outcome.origin is (Origin.CONFIRMED if after_effect else Origin.POSTED)
    assert listed == [outcome.restream]
    assert (toggled.status, deleted) == (False, True)
    counts = sandbox.counts
    assert (counts.posts, counts.toggles, counts.deletes) == (1 if after_effect else 2, 1, 1)
    assert (counts.in_flight, counts.stored) == (0, 0)


# Not a reset: on a network, aiohttp sends a GET again by itself when its connection is reset.
@pytest.mark.parametrize("failure", [400, 429, 503, Fault.HANG, Fault.TRUNCATED, Fault.GARBAGE])
async def test_an_error_is_the_same_in_both(failure: Fault | int) -> None:
    raised: list[RestreamError] = []
    for sandbox in (Sandbox(), MemorySandbox()):
        with sandbox:
            sandbox.fail_next(failure)
            async with sandbox_client(sandbox, timeout=0.2, retry=ONCE) as client:
                with pytest.raises(RestreamError) as error:
                    await client.list("v1")
                raised.append(error.value)

    on_a_port, in_memory = raised
    assert type(in_memory) is type(on_a_port)


async def test_half_an_answer_is_told_as_such() -> None:
    sandbox = MemorySandbox()
    sandbox.fail_next(Fault.TRUNCATED)

    async with sandbox_client(sandbox, retry=ONCE) as client:
        with pytest.raises(MalformedResponseError, match="the connection was closed early"):
            await client.list("v1")


async def test_a_lost_connection_is_an_error_and_in_doubt() -> None:
    sandbox = MemorySandbox()
    sandbox.fail_next(Fault.RESET)

    async with sandbox_client(sandbox, retry=ONCE) as client:
        with pytest.raises(TransportError, match="the connection was reset"):
            await client.create(new())

    assert sandbox.counts.lists == 1, "the final check"


async def test_a_minute_of_waiting_takes_no_time_and_no_socket() -> None:
    sandbox = MemorySandbox()
    sandbox.fail_next(429, retry_after=15, times=2)
    sandbox.fail_next(Fault.HANG, after_effect=True)
    began = time.monotonic()

    with without_network():
        async with sandbox_client(sandbox) as client:
            await client.create(new())

    assert time.monotonic() - began < 5
    assert sandbox.clock.now() >= 60, "twice 15 seconds, and a time-out of 30"
    assert_stored(sandbox, [new()])
    assert not sandbox.pending_failures


async def test_a_slow_failure_takes_its_time_on_the_clock_of_the_sandbox() -> None:
    sandbox = MemorySandbox()
    sandbox.fail_next(500, latency=20.0)

    async with sandbox_client(sandbox, retry=ONCE) as client:
        with pytest.raises(RestreamError):
            await client.list("v1")

    assert sandbox.clock.now() == 20.0


async def test_many_are_created_once_each_through_faults() -> None:
    sandbox = MemorySandbox(faults=Faults.demo(), seed=3)
    wanted = [new(video_id=f"v{number}") for number in range(300)]

    async with sandbox_client(sandbox) as client:
        report = await client.create_all(wanted)

    assert len(report.created) == 300
    assert sandbox.counts.faults.total > 20
    assert_stored(sandbox, wanted)


async def test_a_late_effect_comes_when_so_much_time_was_slept() -> None:
    sandbox = MemorySandbox(faults=Faults(late=1.0, late_by=1000.0, retry_after=None))

    async with sandbox_client(sandbox, retry=ONCE) as client:
        for number in range(3):
            with pytest.raises(BackendFetchFailedError):
                await client.create(new(video_id=f"v{number}"))

    assert sandbox.stored == ()
    await sandbox.clock.sleep(1000.0)
    assert len(sandbox.stored) == 3


@pytest.mark.parametrize("end", ["settle", "with", "async with"])
async def test_late_effects_come_at_the_end(end: str) -> None:
    sandbox = MemorySandbox(faults=Faults(late=1.0, late_by=1000.0))
    async with sandbox_client(sandbox, retry=ONCE) as client:
        with pytest.raises(BackendFetchFailedError):
            await client.create(new())
    assert sandbox.stored == ()

    if end == "settle":
        await sandbox.settle()
    elif end == "with":
        with sandbox:
            pass
    else:
        async with sandbox:
            pass

    assert len(sandbox.stored) == 1


async def test_it_knows_its_key_and_its_project() -> None:
    sandbox = MemorySandbox(api_key="k", project_id="p", ids="str")

    async with sandbox_client(sandbox, auth_scheme="Bearer") as client:
        assert (await client.create(new())).id == "1"
    async with sandbox_client(sandbox, api_key="another") as client:
        with pytest.raises(UnauthorizedError):
            await client.list("v1")
    async with sandbox_client(sandbox, project_id="another") as client:
        with pytest.raises(NotFoundError):
            await client.create(new())


async def test_a_cancelled_creation_may_exist_and_ensure_finds_out() -> None:
    sandbox = MemorySandbox()
    async with sandbox_client(sandbox) as client:
        creating = asyncio.create_task(client.create(new()))
        await asyncio.sleep(0)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        await client.ensure(new())

    assert_stored(sandbox, [new()])


async def test_a_closed_client_sends_nothing() -> None:
    sandbox = MemorySandbox()
    client = sandbox_client(sandbox)
    await client.close()

    with pytest.raises(ClientClosedError):
        await client.create(new())
    assert sandbox.counts.posts == 0


async def test_an_outage_is_the_page_of_the_cache() -> None:
    sandbox = MemorySandbox()
    sandbox.outage = True

    async with sandbox_client(sandbox, retry=ONCE) as client:
        with pytest.raises(BackendFetchFailedError) as raised:
            await client.list("v1")

    assert raised.value.request_id == "2", "that of Varnish"


def test_one_sandbox_serves_clients_in_several_event_loops() -> None:
    sandbox = MemorySandbox()

    async def create(wanted: NewRestream) -> None:
        async with sandbox_client(sandbox) as client:
            await client.create(wanted)

    for number in range(2):
        asyncio.run(create(new(video_id=f"v{number}")))

    assert [stored.id for stored in sandbox.stored] == [1, 2]
