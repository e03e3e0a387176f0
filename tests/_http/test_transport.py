"""Answers that are HTTP, but not what was asked for."""

from __future__ import annotations

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from typing import Final

import aiohttp
import pytest

from restream_async import (
    ApiError,
    AttemptTimeoutError,
    BadRequestError,
    InternalServerError,
    MalformedResponseError,
    RestreamError,
)
from restream_async._http.transport import LARGEST_RESPONSE
from tests.helpers.client_calls import CALLS, METHODS, failure_of
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import TASK_NAME, RawServer, pour, then_hang
from tests.helpers.samples import (
    INTERNAL_ERROR,
    answer,
    created,
    envelope,
    largest,
    listed,
    new_restream,
    on_the_wire,
)

_MOST: Final = 64 * 2**20
_CHUNK: Final = b"x" * 65536
# What the kernel may take on behalf of a client that has stopped reading.
_BUFFERS: Final = 16 * 2**20

_WITH_LENGTH: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
_UNTIL_CLOSED: Final = b"HTTP/1.1 200 OK\r\n\r\n"
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LARGE: Final = {
    "with a length": pour(_WITH_LENGTH % _MOST, _CHUNK, _MOST),
    "until the connection closes": pour(_UNTIL_CLOSED, _CHUNK, _MOST),
    "in chunks": pour(_CHUNKED, b"10000\r\n%s\r\n" % _CHUNK, _MOST),
    "with a length beyond every integer": pour(_WITH_LENGTH % 10**30, _CHUNK, _MOST),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_too_large_answer_is_not_read_to_its_end(name: str) -> None:
    async with (
        RawServer(post=TOO_LARGE[name]) as server,
        leak_checked_client(server, attempts=1, in_doubt="resend") as client,
    ):
        with pytest.raises(RestreamError) as caught:
            await client.create(new_restream())
        await assert_nothing_left(client)
        assert 0 < server.sent < _BUFFERS

    # aiohttp takes a length of thirty digits for no HTTP at all.
    if name != "with a length beyond every integer":
        assert type(caught.value) is MalformedResponseError
        assert "larger than 1048576 bytes" in str(caught.value)


async def test_an_answer_that_says_it_is_too_large_is_not_even_waited_for() -> None:
    async with (
        RawServer(get=then_hang(_WITH_LENGTH % _MOST)) as server,
        leak_checked_client(server, attempts=1, timeout=5.0) as client,
    ):
        async with asyncio.timeout(1):
            error = await failure_of(client.list("v1"), MalformedResponseError)
        await assert_nothing_left(client)

    assert "larger than 1048576 bytes" in str(error)


async def test_a_too_large_error_keeps_its_status() -> None:
    pouring = pour(b"HTTP/1.1 500 Oops\r\n\r\n", _CHUNK, _MOST)
    async with RawServer(get=pouring) as server, leak_checked_client(server, attempts=1) as client:
        error = await failure_of(client.list("v1"), InternalServerError)
        assert server.sent < _BUFFERS

    assert (error.status, error.excerpt) == (500, "")


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_largest_answer_is_still_read(chunked: bool) -> None:  # noqa: FBT001 - a parameter
    body = envelope(on_the_wire(new_restream()), padding="")
    body = body[:-2] + b"x" * (LARGEST_RESPONSE - len(body)) + b'"}'
    whole = _CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else answer(body)
    async with RawServer(post=whole) as server, leak_checked_client(server) as client:
        restream = await client.create(new_restream())
        assert restream.id == 7
        larger = answer(body + b" ")
    async with RawServer(get=larger) as server, leak_checked_client(server, attempts=1) as client:
        await failure_of(client.list("v1"), MalformedResponseError)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_an_answer_that_unpacks_to_a_hundred_megabytes_is_not_unpacked(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = answer(pack(b"x" * 100 * 2**20, 9), headers={"Content-Encoding": encoding})
    assert len(bomb) < 2**20
    async with (
        RawServer(post=bomb) as server,
        leak_checked_client(server, attempts=1, in_doubt="resend") as client,
    ):
        tracemalloc.start()
        try:
            error = await failure_of(client.create(new_restream()), MalformedResponseError)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert "larger than 1048576 bytes" in str(error)
    assert peak < 16 * 2**20


@pytest.mark.parametrize(
    ("status", "error"), [(399, AttemptTimeoutError), (400, BadRequestError)], ids=str
)
async def test_an_error_whose_body_does_not_come_keeps_its_status(
    status: int, error: type[RestreamError]
) -> None:
    hanging = then_hang(b"HTTP/1.1 %d Odd\r\nContent-Length: 100\r\n\r\n{" % status)
    async with (
        RawServer(get=hanging) as server,
        leak_checked_client(server, timeout=0.1, attempts=1) as client,
    ):
        await failure_of(client.list("v1"), error)


async def test_a_compressed_answer_is_read_although_compression_was_not_requested() -> None:
    body = gzip.compress(envelope(on_the_wire(new_restream())))
    packed = answer(body, headers={"Content-Encoding": "gzip"})
    async with RawServer(post=packed) as server, leak_checked_client(server) as client:
        restream = await client.create(new_restream())

    assert restream.id == 7
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_interim_answers_are_passed_over() -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    )
    async with RawServer(post=interim + created()) as server, leak_checked_client(server) as client:
        restream = await client.create(new_restream())

    assert (restream.id, server.counts) == (7, {"POST": 1})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
async def test_a_redirect_is_not_followed_and_says_so(status: int, call: str) -> None:
    async with RawServer() as elsewhere:
        step = answer(b"", f"{status} Moved", {"Location": f"{elsewhere.base_url}/api"})
        async with (
            RawServer(post=step, get=step, put=step, delete=step) as server,
            leak_checked_client(server) as client,
        ):
            error = await failure_of(CALLS[call](client), ApiError)

    assert elsewhere.requests == []
    assert server.counts == {METHODS[call]: 1}
    assert (error.status, error.attempts) == (status, 1)
    assert "redirects are not followed: check base_url" in str(error)


async def test_cookies_are_not_kept() -> None:
    step = answer(
        envelope([]), headers={"Set-Cookie": "session=abc; Path=/", "Connection": "keep-alive"}
    )
    async with RawServer(get=step) as server, leak_checked_client(server) as client:
        await client.list("v1")
        await client.list("v1")

    assert len(server.requests) == 2
    assert "cookie" not in server.requests[1].headers


async def test_a_refusal_is_taken_while_the_request_is_still_being_sent() -> None:
    refusal = answer(envelope(None, status=400), "400 Bad Request")
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asyncio.current_task().set_name(TASK_NAME)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await gone.wait()
        writer.transport.abort()

    def narrow(_: object) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return sock

    gone = asyncio.Event()
    server = await asyncio.start_server(refuse, sock=listening, limit=1024)
    connector = aiohttp.TCPConnector(socket_factory=narrow)
    async with server, aiohttp.ClientSession(connector=connector) as session:
        async with leak_checked_client(
            RawServer(),
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
            session=session,
        ) as client:
            await failure_of(client.create(largest()), BadRequestError)
            await assert_nothing_left(client)
        gone.set()


@pytest.mark.parametrize(
    ("result", "count"),
    [([], 0), (None, 0), (on_the_wire(new_restream()), 1), ([on_the_wire(new_restream())] * 3, 3)],
    ids=["an empty list", "null", "one object", "a list"],
)
async def test_a_list_is_answered_with_a_list_an_object_or_null(result: object, count: int) -> None:
    async with (
        RawServer(get=answer(envelope(result))) as server,
        leak_checked_client(server) as client,
    ):
        restreams = await client.list("v1")

    assert [restream.id for restream in restreams] == [7] * count


async def test_the_order_of_a_list_is_the_services() -> None:
    entries = [on_the_wire(new_restream(title=str(number)), number) for number in (3, 1, 2)]
    async with RawServer(get=listed(*entries)) as server, leak_checked_client(server) as client:
        restreams = await client.list("v1")

    assert [restream.id for restream in restreams] == [3, 1, 2]


async def test_an_id_arrives_as_it_was_escaped() -> None:
    """Also the characters that a URL need not escape."""
    async with (
        RawServer(put=INTERNAL_ERROR) as server,
        leak_checked_client(server, attempts=1) as client,
    ):
        await failure_of(client.toggle("a/!(b)%21"), InternalServerError)
    assert server.requests[0].path.endswith("/restreams/a%2F%21%28b%29%2521/toggle")
