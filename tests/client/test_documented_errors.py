"""What the service documents, end to end through the four calls of a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from restream_async import (
    ApiError,
    BackendFetchFailedError,
    BadRequestError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    Restream,
    TooManyRequestsError,
    UnauthorizedError,
)
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.client_calls import CALLS, METHODS, failure_of
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import (
    API_KEY,
    BACKEND_FETCH_FAILED,
    STREAM_KEY,
    STREAM_URL,
    VARNISH_PAGE,
    answer,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import aioresponses

    from tests.helpers.fast_clock import FastClock

REFUSALS: Final = [
    ("400 Bad Request", BadRequestError),
    ("401 Unauthorized", UnauthorizedError),
    ("403 Forbidden", ForbiddenError),
    ("404 Not Found", NotFoundError),
    ("409 Conflict", ApiError),
    ("501 Not Implemented", ApiError),
]
DOUBTS: Final = [
    ("500 Internal Server Error", InternalServerError),
    ("502 Bad Gateway", ApiError),
    ("503 Backend fetch failed", BackendFetchFailedError),
    ("504 Gateway Timeout", ApiError),
]
BODIES: Final[dict[str, Callable[[int], bytes]]] = {
    "envelope": lambda status: envelope(None, status=status, errors=["It says why."]),
    "other json": lambda _: b'{"error": "It says why."}',
    "html": lambda _: b"<html><h1>It says why.</h1></html>",
    "text": lambda _: b"It says why.",
}


def saying(status: str, body: bytes = b"It says why.") -> RawServer:
    step = answer(body, status)
    return RawServer(post=step, get=step, put=step, delete=step)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "kind"), REFUSALS, ids=lambda value: str(value)[:3])
async def test_a_refusal_is_raised_at_once(status: str, kind: type[ApiError], call: str) -> None:
    async with saying(status) as server, leak_checked_client(server) as client:
        error = await failure_of(CALLS[call](client), kind)

    assert server.counts == {METHODS[call]: 1}
    assert (error.status, error.attempts) == (int(status[:3]), 1)
    assert str(error).startswith(f"{status} (It says why.): {METHODS[call]} /api/v1/p1/")
    assert "1 attempt" in str(error)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("status", "kind"), [*REFUSALS[:4], *DOUBTS])
async def test_an_error_is_told_by_its_status_whatever_its_body(
    status: str, kind: type[ApiError], body: str
) -> None:
    code = int(status[:3])
    async with (
        saying(status, BODIES[body](code)) as server,
        leak_checked_client(server, attempts=1, in_doubt="resend") as client,
    ):
        error = await failure_of(client.create(new_restream()), kind)

    assert error.status == code
    assert error.errors == (("It says why.",) if body == "envelope" else ())
    assert "It says why." in str(error)
    assert "video 'v1'" in str(error)


@pytest.mark.parametrize(("status", "kind"), [*REFUSALS[:4], *DOUBTS])
async def test_an_error_without_a_body_is_told_by_its_status(
    status: str, kind: type[ApiError]
) -> None:
    async with saying(status, b"") as server, leak_checked_client(server, attempts=1) as client:
        error = await failure_of(client.list("v1"), kind)

    assert str(error) == f"{status}: GET /api/v1/p1/live-video/v1/restreams (video 'v1'), " + (
        f"1 attempt; {error.note}" if error.note else "1 attempt"
    )


@pytest.mark.parametrize(("status", "kind"), DOUBTS, ids=lambda value: str(value)[:3])
async def test_a_creation_in_doubt_is_looked_for_before_each_resend_and_at_the_end(
    status: str, kind: type[ApiError]
) -> None:
    async with (
        RawServer(post=answer(b"", status), get=listed()) as server,
        leak_checked_client(server, attempts=3) as client,
    ):
        error = await failure_of(client.create(new_restream()), kind)

    assert server.order == "POST GET POST GET POST GET"
    assert (error.status, error.attempts) == (int(status[:3]), 3)


@pytest.mark.parametrize(("status", "kind"), DOUBTS, ids=lambda value: str(value)[:3])
@pytest.mark.parametrize("call", ["list", "delete"])
async def test_listing_and_deleting_are_tried_again_after_doubt(
    status: str, kind: type[ApiError], call: str
) -> None:
    async with saying(status) as server, leak_checked_client(server, attempts=3) as client:
        error = await failure_of(CALLS[call](client), kind)

    assert server.counts == {METHODS[call]: 3}
    assert (error.status, error.attempts) == (int(status[:3]), 3)


@pytest.mark.parametrize(("status", "kind"), DOUBTS, ids=lambda value: str(value)[:3])
async def test_a_toggle_in_doubt_is_never_sent_again(status: str, kind: type[ApiError]) -> None:
    async with saying(status) as server, leak_checked_client(server) as client:
        error = await failure_of(client.toggle(7), kind)

    assert server.counts == {"PUT": 1}
    assert error.attempts == 1
    assert "may have taken effect, so it was not sent again" in str(error)


@pytest.mark.parametrize("call", CALLS)
async def test_429_did_nothing_so_everything_is_sent_again_without_a_look(call: str) -> None:
    async with (
        saying("429 Too Many Requests") as server,
        leak_checked_client(server, attempts=3) as client,
    ):
        error = await failure_of(CALLS[call](client), TooManyRequestsError)

    assert server.counts == {METHODS[call]: 3}
    assert (error.status, error.attempts) == (429, 3)


async def test_the_page_of_the_cache_is_a_backend_fetch_failed_error(clock: FastClock) -> None:
    async with (
        RawServer(post=[BACKEND_FETCH_FAILED, created()], get=BACKEND_FETCH_FAILED) as server,
        leak_checked_client(server, attempts=1) as client,
        leak_checked_client(server, clock=clock, in_doubt="resend") as patient,
    ):
        error = await failure_of(client.list("v1"), BackendFetchFailedError)
        await patient.create(new_restream())

    assert (error.status, error.retry_after) == (503, 5)
    assert "Guru Meditation" in str(error)
    assert "<" not in str(error)
    assert "retry after 5 s" in str(error)


async def test_retry_after_is_waited_for_and_more(clock: FastClock) -> None:
    async with (
        RawServer(post=[BACKEND_FETCH_FAILED, created()]) as server,
        leak_checked_client(server, clock=clock, in_doubt="resend") as client,
    ):
        await client.create(new_restream())

    assert clock.sleeps == [5.5]


async def test_http_200_that_denies_success_is_judged_by_the_code_inside() -> None:
    body = envelope(None, success=False, statusCode=404, messages=["No such project."])
    async with RawServer(post=answer(body)) as server, leak_checked_client(server) as client:
        error = await failure_of(client.create(new_restream()), NotFoundError)

    assert server.counts == {"POST": 1}
    assert (error.status, error.messages) == (404, ("No such project.",))


@pytest.mark.parametrize("status", ["200 OK", "201 Created"])
@pytest.mark.parametrize("restream_id", [7, "7"])
async def test_both_documented_statuses_and_both_kinds_of_id_are_success(
    status: str, restream_id: int | str
) -> None:
    body = envelope(on_the_wire(new_restream(), restream_id))
    async with (
        RawServer(post=answer(body, status)) as server,
        leak_checked_client(server) as client,
    ):
        restream = await client.create(new_restream())

    assert restream == Restream(
        id=restream_id,
        title="YouTube",
        stream_key=STREAM_KEY,
        stream_url=STREAM_URL,
        status=True,
        video_id="v1",
    )


async def test_a_creation_sends_what_the_documentation_asks_for() -> None:
    async with RawServer(post=created()) as server, leak_checked_client(server) as client:
        await client.create(new_restream(status=False))

    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/p1/restreams")
    assert request.headers["authorization"] == API_KEY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert json.loads(request.body) == {
        "videoId": "v1",
        "title": "YouTube",
        "streamUrl": STREAM_URL,
        "streamKey": STREAM_KEY,
        "status": False,
    }


async def test_the_other_calls_send_no_body() -> None:
    toggled = answer(envelope({"id": 7, "status": False}))
    deleted = answer(envelope(result=True))
    async with (
        RawServer(get=listed(), put=toggled, delete=deleted) as server,
        leak_checked_client(server, auth_scheme="Bearer") as client,
    ):
        assert await client.list("v/1") == []
        result = await client.toggle("7")
        assert await client.delete(7) is True

    assert (result.id, result.status) == (7, False)
    assert [(seen.method, seen.path, seen.body) for seen in server.requests] == [
        ("GET", "/api/v1/p1/live-video/v%2F1/restreams", b""),
        ("PUT", "/api/v1/p1/restreams/7/toggle", b""),
        ("DELETE", "/api/v1/p1/restreams/7", b""),
    ]
    assert {seen.headers["authorization"] for seen in server.requests} == {f"Bearer {API_KEY}"}


async def test_the_sandbox_refuses_a_wrong_key_and_another_project() -> None:
    async with Sandbox() as sandbox:
        async with leak_checked_client(sandbox, api_key="wrong-key") as client:
            error = await failure_of(client.create(new_restream()), UnauthorizedError)
        assert error.note == "check api_key and auth_scheme"
        async with leak_checked_client(sandbox, project_id="theirs") as client:
            await failure_of(client.create(new_restream()), NotFoundError)

    assert (sandbox.counts.posts, sandbox.stored) == (2, ())


async def test_deleting_what_is_not_there_is_not_found() -> None:
    async with Sandbox() as sandbox, leak_checked_client(sandbox) as client:
        error = await failure_of(client.delete(9), NotFoundError)

    assert (sandbox.counts.deletes, error.attempts) == (1, 1)


@pytest.mark.parametrize(
    "fault", [Fault.INTERNAL_ERROR, Fault.BACKEND_FETCH_FAILED, Fault.RESET, Fault.TRUNCATED]
)
async def test_a_deletion_whose_answer_is_lost_and_that_then_finds_nothing_did_the_work(
    fault: Fault,
) -> None:
    async with (
        Sandbox(faults=Faults(other={fault: 1.0}, retry_after=None)) as sandbox,
        leak_checked_client(sandbox) as client,
    ):
        restream = await client.create(new_restream())
        assert await client.delete(restream.id) is True

    assert (sandbox.counts.deletes, sandbox.stored) == (2, ())


async def test_a_deletion_that_the_service_denies_is_false() -> None:
    async with (
        RawServer(delete=answer(envelope(result=False))) as server,
        leak_checked_client(server) as client,
    ):
        assert await client.delete(7) is False


async def test_the_documented_example_is_read_as_it_stands(
    mocked: aioresponses.aioresponses,
) -> None:
    url = "https://api.example.com/api/v1/p1/restreams"
    mocked.post(url, status=200, body=envelope(on_the_wire(new_restream(), "12")))  # pyright: ignore[reportUnknownMemberType]
    server = RawServer()
    async with leak_checked_client(server, base_url="https://api.example.com") as client:
        restream = await client.create(new_restream())

    assert restream.id == "12"
    [calls] = mocked.requests.values()
    assert len(calls) == 1
    assert calls[0].kwargs["allow_redirects"] is False  # pyright: ignore[reportUnknownMemberType]


async def test_what_cannot_be_reached_in_a_mocked_network_is_a_transport_error(
    mocked: aioresponses.aioresponses,
) -> None:
    async with leak_checked_client(
        RawServer(), base_url="https://api.example.com", attempts=2
    ) as client:
        with pytest.raises(Exception, match="connection was lost") as caught:
            await client.list("v1")

    assert "2 attempts" in str(caught.value)
    assert mocked.requests


def test_the_captured_page_has_the_length_that_was_captured() -> None:
    assert len(VARNISH_PAGE) == 278
