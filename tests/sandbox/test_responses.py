"""The bytes of each kind of fault, and its effect."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.sandbox_client import (
    SandboxClient,
    create_body,
    open_client,
    raw_connection,
    raw_request,
    until_in_flight,
)

SEEN = {
    Fault.INTERNAL_ERROR: "500",
    Fault.BACKEND_FETCH_FAILED: "page",
    Fault.RESET: "reset",
    Fault.TRUNCATED: "truncated",
    Fault.GARBAGE: "garbage",
    Fault.HANG: "page",
}
PAGE_HEAD = [
    b"HTTP/1.1 503 Backend fetch failed",
    b"Server: Varnish",
    b"Content-Type: text/html; charset=utf-8",
    b"Retry-After: 5",
    b"X-Varnish: 2",
    b"Age: 0",
    b"Via: 1.1 varnish (Varnish/7.1)",
    b"Content-Length: 278",
]


async def exchange(sandbox: Sandbox, request: bytes) -> tuple[list[bytes], bytes]:
    """Send raw bytes; return the lines of the head, and the received part of the body."""
    async with raw_connection(sandbox) as (reader, writer):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        [length] = [int(line.split()[1]) for line in head if line.startswith(b"Content-Length")]
        try:
            return head, await reader.readexactly(length)
        except asyncio.IncompleteReadError as cut:
            return head, cut.partial


@pytest.mark.parametrize(("fault", "seen"), SEEN.items())
async def test_a_fault_before_the_effect_leaves_nothing_stored(fault: Fault, seen: str) -> None:
    sandbox = Sandbox(faults=Faults(before={fault: 1.0}, hang_seconds=0.001))
    async with open_client(sandbox) as client:
        assert await client.outcome_of_create() == seen

    assert sandbox.stored == ()
    assert sandbox.counts.faults.before == {fault: 1}


@pytest.mark.parametrize(("fault", "seen"), SEEN.items())
async def test_a_fault_after_the_effect_leaves_the_restream_stored(fault: Fault, seen: str) -> None:
    sandbox = Sandbox(faults=Faults(after={fault: 1.0}, hang_seconds=0.001))
    async with open_client(sandbox) as client:
        assert await client.outcome_of_create() == seen

    assert [stored.video_id for stored in sandbox.stored] == ["v1"]
    assert sandbox.counts.faults.after == {fault: 1}


async def test_an_internal_error_is_the_envelope_of_the_service() -> None:
    async with open_client(Sandbox(faults=Faults(before={Fault.INTERNAL_ERROR: 1.0}))) as client:
        answer = await client.create()

    assert answer.envelope == {
        "success": False,
        "errors": ["Internal Server Error"],
        "messages": [],
        "result": None,
        "resultInfo": None,
        "statusCode": 500,
    }


async def test_a_failed_backend_fetch_is_the_page_of_varnish_to_the_letter() -> None:
    async with Sandbox(faults=Faults(before={Fault.BACKEND_FETCH_FAILED: 1.0})) as sandbox:
        head, body = await exchange(sandbox, raw_request(json.dumps(create_body()).encode()))

    assert head == PAGE_HEAD
    assert body.startswith(b"<!DOCTYPE html>")
    assert b"<title>503 Backend fetch failed</title>" in body
    assert b"<h3>Guru Meditation:</h3>" in body
    assert b"<p>XID: 3</p>" in body
    assert len(body) == 278


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        (None, PAGE_HEAD[:3] + PAGE_HEAD[4:]),
        ("0", [*PAGE_HEAD[:3], b"Retry-After: 0", *PAGE_HEAD[4:]]),
    ],
)
async def test_the_page_asks_to_retry_after_what_was_set(
    retry_after: str | None, expected: list[bytes]
) -> None:
    faults = Faults(before={Fault.BACKEND_FETCH_FAILED: 1.0}, retry_after=retry_after)
    async with Sandbox(faults=faults) as sandbox:
        head, _ = await exchange(sandbox, raw_request(json.dumps(create_body()).encode()))

    assert head == expected


async def test_a_reset_is_a_tcp_reset_not_an_orderly_close() -> None:
    async with (
        Sandbox(faults=Faults(before={Fault.RESET: 1.0})) as sandbox,
        raw_connection(sandbox) as (reader, writer),
    ):
        writer.write(raw_request(json.dumps(create_body()).encode()))
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_truncated_answer_announces_twice_what_it_sends() -> None:
    async with Sandbox(faults=Faults(after={Fault.TRUNCATED: 1.0})) as sandbox:
        head, body = await exchange(sandbox, raw_request(json.dumps(create_body()).encode()))

    assert head[0] == b"HTTP/1.1 201 Created"
    assert body.startswith(b'{"success":true')
    assert f"Content-Length: {2 * len(body)}".encode() in head or (
        f"Content-Length: {2 * len(body) + 1}".encode() in head
    )


async def test_garbage_is_a_success_that_cannot_be_read() -> None:
    async with Sandbox(faults=Faults(before={Fault.GARBAGE: 1.0})) as sandbox:
        head, body = await exchange(sandbox, raw_request(json.dumps(create_body()).encode()))

    assert head[0] == b"HTTP/1.1 200 OK"
    with pytest.raises(ValueError, match="utf-8"):
        json.loads(body)


async def test_a_hanging_request_is_not_answered_until_its_client_leaves() -> None:
    sandbox = Sandbox(faults=Faults(after={Fault.HANG: 1.0}))
    async with sandbox:
        async with raw_connection(sandbox) as (reader, writer):
            writer.write(raw_request(json.dumps(create_body()).encode()))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.01)
            assert sandbox.counts.in_flight == 1
        await until_in_flight(sandbox, 0)

    assert len(sandbox.stored) == 1


async def test_a_late_commit_is_answered_with_503_and_stored_without_a_client() -> None:
    sandbox = Sandbox(faults=Faults(late=1.0, late_by=0.05))
    async with sandbox:
        async with raw_connection(sandbox) as (reader, writer):
            writer.write(raw_request(json.dumps(create_body()).encode()))
            assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
            assert sandbox.stored == ()
        await sandbox.settle()
        assert len(sandbox.stored) == 1

    assert sandbox.counts.faults.late == 1


async def test_a_list_can_fail_and_changes_nothing() -> None:
    sandbox = Sandbox(faults=Faults(listing={Fault.INTERNAL_ERROR: 1.0}, max_faults=1))
    async with open_client(sandbox) as client:
        await client.create()
        assert (await client.list("v1")).status == 500
        assert len((await client.list("v1")).result) == 1

    assert sandbox.counts.faults.listing == {Fault.INTERNAL_ERROR: 1}


async def test_a_toggle_fails_after_it_was_done() -> None:
    sandbox = Sandbox(faults=Faults(other={Fault.INTERNAL_ERROR: 1.0}))
    async with open_client(sandbox) as client:
        await client.create(status=True)
        assert (await client.toggle(1)).status == 500

    assert sandbox.stored[0].status is False
    assert sandbox.counts.faults.other == {Fault.INTERNAL_ERROR: 1}


async def test_a_deletion_fails_after_it_was_done() -> None:
    sandbox = Sandbox(faults=Faults(other={Fault.INTERNAL_ERROR: 1.0}))
    async with open_client(sandbox) as client:
        await client.create()
        assert (await client.delete(1)).status == 500

    assert sandbox.stored == ()


async def test_a_refused_creation_meets_no_fault() -> None:
    sandbox = Sandbox(faults=Faults(before={Fault.RESET: 1.0}))
    async with open_client(sandbox) as client:
        assert (await client.create(title="")).status == 400

    assert sandbox.counts.faults.total == 0


async def test_the_faults_can_be_replaced_while_the_sandbox_is_open() -> None:
    sandbox = Sandbox(faults=Faults(before={Fault.INTERNAL_ERROR: 1.0}))
    async with open_client(sandbox) as client:
        assert await client.outcome_of_create() == "500"
        sandbox.faults = Faults()
        assert await client.outcome_of_create() == "201"


async def test_in_an_outage_every_request_gets_the_page_and_has_no_effect() -> None:
    sandbox = Sandbox()
    async with open_client(sandbox) as client:
        await client.create()
        assert sandbox.outage is False
        sandbox.outage = True
        assert await client.outcome_of_create() == "page"
        for method, path in (("GET", "live-videos"), ("DELETE", "restreams/1"), ("GET", "nowhere")):
            head, _ = await exchange(sandbox, raw_request(method=method, path=path))
            assert head == PAGE_HEAD
        sandbox.outage = False
        assert (await client.list("v1")).status == 200

    assert [stored.id for stored in sandbox.stored] == [1]


async def test_in_an_outage_no_request_is_queued_or_served() -> None:
    sandbox = Sandbox(capacity=1, queue=0, latency=60)
    async with open_client(sandbox) as client:
        sandbox.outage = True
        assert (
            await client.outcome_of_create("v1") == await client.outcome_of_create("v2") == "page"
        )

    assert sandbox.counts.shed == 0


async def test_an_outage_also_fails_requests_that_are_being_served() -> None:
    sandbox = Sandbox(latency=0.05)
    async with open_client(sandbox) as client:
        outcome = asyncio.create_task(client.outcome_of_create())
        await until_in_flight(sandbox, 1)
        sandbox.outage = True
        assert await outcome == "page"

    assert sandbox.stored == ()


async def test_two_clients_of_the_same_seed_meet_the_same_faults() -> None:
    async def run(*, one_by_one: bool) -> tuple[dict[str, str], set[str]]:
        sandbox = Sandbox(faults=Faults.demo(), seed=7)
        videos = [f"v{number}" for number in range(100)]
        async with open_client(sandbox) as client:
            if one_by_one:
                outcomes = [await client.outcome_of_create(video) for video in reversed(videos)][
                    ::-1
                ]
            else:
                outcomes = await asyncio.gather(*map(client.outcome_of_create, videos))
        return dict(zip(videos, outcomes, strict=True)), {one.video_id for one in sandbox.stored}

    one_by_one_run, parallel_run = await run(one_by_one=True), await run(one_by_one=False)

    assert one_by_one_run == parallel_run
    assert 5 <= 100 - Counter(one_by_one_run[0].values())["201"] <= 25


async def retried(client: SandboxClient, video: str) -> int:
    """Send without checks until a response can be read; return how often it was sent."""
    attempts = 1
    while await client.outcome_of_create(video) != "201":
        attempts += 1
    return attempts


async def test_max_faults_limits_the_attempts_that_a_client_needs() -> None:
    sandbox = Sandbox(faults=Faults(after={Fault.INTERNAL_ERROR: 0.9}, max_faults=2), seed=3)
    async with open_client(sandbox) as client:
        attempts = await asyncio.gather(*(retried(client, f"v{number}") for number in range(20)))

    assert max(attempts) == 3
    assert sorted(len(group) for group in sandbox.duplicates()) == sorted(
        count for count in attempts if count > 1
    )
