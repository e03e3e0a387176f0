from __future__ import annotations

import asyncio
import gc
import json

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.sandbox.response_writer import ResponseWriter
from restream_async.sandbox.responses import success
from tests.helpers.sandbox_client import (
    create_body,
    open_client,
    raw_connection,
    raw_request,
    until_in_flight,
)

WISH = raw_request(json.dumps(create_body()).encode())


async def close(sandbox: Sandbox) -> None:
    """Close as the end of `async with` does, and check that it is quick."""
    async with asyncio.timeout(0.5):
        await sandbox.__aexit__(None, None, None)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # warns about what was left open or not awaited


@pytest.fixture
def _patient_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aiohttp wait long, to show that the sandbox itself ends what waits."""
    monkeypatch.setattr("restream_async.sandbox.server._SHUTDOWN_SECONDS", 60)


@pytest.mark.usefixtures("_patient_aiohttp")
@pytest.mark.parametrize(
    "sandbox",
    [
        Sandbox(faults=Faults(before={Fault.HANG: 1.0})),
        Sandbox(latency=60),
    ],
    ids=["hanging", "being served"],
)
async def test_closing_is_prompt_and_drops_requests_that_wait(sandbox: Sandbox) -> None:
    await sandbox.__aenter__()
    async with raw_connection(sandbox) as (reader, writer):
        writer.write(WISH)
        await until_in_flight(sandbox, 1)
        await close(sandbox)
        assert await reader.read() == b""

    assert sandbox.counts.in_flight == 0


@pytest.mark.usefixtures("_patient_aiohttp")
async def test_closing_drops_requests_in_the_queue_without_effect() -> None:
    sandbox = Sandbox(capacity=1, queue=None, latency=60)
    await sandbox.__aenter__()
    async with raw_connection(sandbox) as (_, first), raw_connection(sandbox) as (reader, second):
        first.write(WISH)
        second.write(WISH)
        await until_in_flight(sandbox, 2)
        await close(sandbox)
        assert await reader.read() == b""

    assert sandbox.stored == ()
    assert sandbox.counts.in_flight == 0


async def test_closing_does_not_wait_for_idle_connections() -> None:
    sandbox = Sandbox()
    await sandbox.__aenter__()
    async with raw_connection(sandbox) as (reader, writer):
        writer.write(raw_request(method="GET", path="live-videos"))
        await reader.readuntil(b"]")
        await close(sandbox)
        assert b"HTTP/1.1" not in await reader.read()


@pytest.mark.parametrize("turns", range(6))
async def test_closing_ends_requests_in_every_phase(turns: int) -> None:
    sandbox = Sandbox(latency=60)
    await sandbox.__aenter__()
    async with raw_connection(sandbox) as (reader, writer):
        writer.write(WISH)
        for _ in range(turns):
            await asyncio.sleep(0)
        await close(sandbox)
        assert await reader.read() == b""

    assert sandbox.counts.in_flight == 0
    async with asyncio.timeout(0.1):
        await sandbox.settle()


async def test_late_commits_happen_when_the_sandbox_closes() -> None:
    sandbox = Sandbox(faults=Faults(late=1.0, late_by=60))
    async with open_client(sandbox) as client:
        await client.outcome_of_create("v1")
        await client.outcome_of_create("v2")
        assert not sandbox.stored

    assert [stored.video_id for stored in sandbox.stored] == ["v1", "v2"]
    await sandbox.settle()


async def test_a_closed_sandbox_refuses_connections_but_still_shows_what_is_stored() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create()

    assert len(sandbox.stored) == 1
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(sandbox.base_url)


async def test_a_sandbox_that_was_never_opened_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="enter it with `with` or `async with`"):
        _ = Sandbox().base_url


async def test_a_sandbox_opens_only_once() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="opens only once"):
            await sandbox.__aenter__()


async def test_a_port_can_be_chosen_and_a_taken_one_is_an_error() -> None:
    async with Sandbox() as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await Sandbox(port=port).__aenter__()

    async with Sandbox(port=port) as second:
        assert second.base_url == f"http://127.0.0.1:{port}" == first.base_url


async def test_a_client_that_wants_the_connection_closed_gets_it_closed() -> None:
    async with Sandbox() as sandbox, raw_connection(sandbox) as (reader, writer):
        writer.write(WISH.replace(b"Host:", b"Connection: close\r\nHost:"))
        assert (await reader.read()).startswith(b"HTTP/1.1 201 Created")


async def test_a_connection_is_kept_for_further_requests() -> None:
    async with Sandbox() as sandbox, raw_connection(sandbox) as (reader, writer):
        for number in (1, 2):
            writer.write(WISH)
            answer = await reader.readuntil(b'"statusCode":201}')
            assert f'"id":{number},'.encode() in answer


async def test_a_response_to_a_client_that_has_left_is_a_lost_connection() -> None:
    request = make_mocked_request("GET", "/")
    request.protocol.transport = None
    with pytest.raises(ConnectionResetError):
        await ResponseWriter(success(None), keep_alive=True).prepare(request)
