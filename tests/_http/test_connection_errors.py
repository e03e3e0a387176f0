"""Connections that fail for real: what it is called, whether it may be sent again, what is left."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING
from unittest.mock import Mock

import aiohttp
import pytest

from restream_async import (
    RestreamError,
    TransportError,
)
from restream_async._http.connection_errors import (
    ConnectionFailure,
    certificate_remedy,
    reason_of,
)
from restream_async.errors import CertificateError
from tests.helpers.broken_answers import BROKEN
from tests.helpers.client_calls import CALLS, METHODS, failure_of
from tests.helpers.clients import client_of
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer, then_close
from tests.helpers.samples import (
    SELF_SIGNED,
    answer,
    created,
    envelope,
    listed,
    new_restream,
    on_the_wire,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.fast_clock import FastClock


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_has_a_name_and_leaves_nothing_behind(name: str) -> None:
    step, kind, words = BROKEN[name]
    async with (
        RawServer(post=step) as server,
        leak_checked_client(server, attempts=1, in_doubt="resend") as client,
    ):
        with pytest.raises(kind) as caught:
            await client.create(new_restream())
        await assert_nothing_left(client)

    assert kind is RestreamError or type(caught.value) is kind
    assert words in str(caught.value)
    assert getattr(caught.value, "sent", True) is True
    assert server.counts == {"POST": 1}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_to_a_creation_is_checked_before_it_is_sent_again(
    name: str,
) -> None:
    step = BROKEN[name][0]
    there = listed(on_the_wire(new_restream(), 9))
    async with RawServer(post=step, get=there) as server, leak_checked_client(server) as client:
        restream = await client.create(new_restream())

    assert restream.id == 9
    assert server.order == "POST GET"


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_to_a_toggle_is_never_sent_again(name: str) -> None:
    async with RawServer(put=BROKEN[name][0]) as server, leak_checked_client(server) as client:
        with pytest.raises(RestreamError, match="was not sent again"):
            await client.toggle(7)

    assert server.counts == {"PUT": 1}


@pytest.mark.parametrize("name", BROKEN)
async def test_after_a_broken_answer_the_client_works_on(name: str) -> None:
    async with (
        RawServer(post=[BROKEN[name][0], created()]) as server,
        leak_checked_client(server, in_doubt="resend", max_in_flight=1) as client,
    ):
        await client.create(new_restream())

    assert server.counts == {"POST": 2}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Long": "x" * 60_000},
        {f"X-Many-{number}": "x" * 500 for number in range(500)},
    ],
    ids=["long", "many"],
)
async def test_an_answer_with_more_headers_than_others_read_is_read(
    headers: dict[str, str],
) -> None:
    body = envelope(on_the_wire(new_restream()), status=201)
    async with (
        RawServer(post=answer(body, "201 Created", headers)) as server,
        leak_checked_client(server, attempts=1) as client,
    ):
        assert (await client.create(new_restream())).id == 7


@pytest.mark.parametrize("status", ["408 Request Timeout", "425 Too Early"])
async def test_what_came_too_late_or_too_early_is_sent_again(status: str) -> None:
    async with (
        RawServer(post=[answer(b"", status), created()], get=listed()) as server,
        leak_checked_client(server) as client,
    ):
        assert (await client.create(new_restream())).id == 7

    assert server.order in {"POST GET POST", "POST POST"}


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("call", CALLS)
async def test_a_refused_connection_was_not_sent_so_everything_is_tried_again(
    deaf_port: int, call: str, clock: FastClock
) -> None:
    async with client_of(f"http://127.0.0.1:{deaf_port}", attempts=3, clock=clock) as client:
        error = await failure_of(CALLS[call](client), TransportError)
        await assert_nothing_left(client)

    assert (error.attempts, len(clock.sleeps)) == (3, 2)
    assert f"no connection to 127.0.0.1 port {deaf_port} (Connection refused)" in str(error)
    assert str(error).endswith("3 attempts")
    assert error.sent is False


async def test_a_refused_creation_is_not_checked(deaf_port: int) -> None:
    async with (
        RawServer(get=listed()) as server,
        leak_checked_client(server, base_url=f"http://127.0.0.1:{deaf_port}") as client,
    ):
        await failure_of(client.create(new_restream()), TransportError)

    assert server.requests == []


async def test_a_name_that_does_not_resolve_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    async with leak_checked_client(RawServer(), base_url="https://no.such.host.example") as client:
        error = await failure_of(client.create(new_restream()), TransportError)
        await assert_nothing_left(client)

    assert (error.sent, error.attempts) == (False, 5)
    assert "the name no.such.host.example could not be resolved (Name or service not known)" in str(
        error
    )


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    return context


async def test_a_certificate_without_a_known_issuer_is_not_trusted() -> None:
    async with RawServer(tls=_tls()) as server, leak_checked_client(server, attempts=2) as client:
        error = await failure_of(client.create(new_restream()), CertificateError)
        await assert_nothing_left(client)

    assert (error.sent, error.attempts) == (False, 1)
    assert "the certificate of 127.0.0.1 could not be verified (self-signed" in str(error)
    assert server.requests == []


async def test_a_request_to_a_server_without_tls_was_not_sent() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    async with (
        plain,
        leak_checked_client(
            RawServer(), base_url=f"https://127.0.0.1:{port}", attempts=2
        ) as client,
    ):
        error = await failure_of(client.create(new_restream()), TransportError)
        await assert_nothing_left(client)

    assert (error.sent, error.attempts) == (False, 2)


async def test_a_trusted_certificate_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    async with RawServer(tls=_tls(), post=created()) as server:
        context = ssl.create_default_context(cafile=str(SELF_SIGNED))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
            leak_checked_client(server, session=session) as client,
        ):
            restream = await client.create(new_restream())

    assert restream.id == 7


@pytest.mark.parametrize("call", CALLS)
async def test_a_kept_connection_that_is_closed_at_its_reuse_doubles_nothing(call: str) -> None:
    """The server hangs up at the very moment when the next request arrives on it."""
    good = {
        "create": created(),
        "list": listed(),
        "toggle": answer(envelope({"id": 7, "status": True})),
        "delete": answer(envelope(result=True)),
    }[call]
    method = METHODS[call]
    script = {method.lower(): [good, then_close(), good]}
    if call == "create":
        script["get"] = [listed()]
    async with RawServer(**script) as server, leak_checked_client(server, attempts=2) as client:  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await CALLS[call](client)
        assert len(server.peers) == 1
        if call == "toggle":
            with pytest.raises(TransportError, match="was not sent again"):
                await CALLS[call](client)
        else:
            await CALLS[call](client)
        assert [seen.connection for seen in server.requests[:2]] == [1, 1]

    # The toggle is not resent by aiohttp either, which does so with every PUT and DELETE.
    expected = {"create": "POST POST GET POST", "toggle": "PUT PUT"}
    assert server.order == expected.get(call, " ".join([method] * 3))


async def test_a_kept_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    async with (
        RawServer(put=answer(envelope({"id": 7, "status": True}))) as server,
        leak_checked_client(server) as client,
    ):
        await client.toggle(7)
        server.peers[0].close()
        await asyncio.sleep(0.01)
        await client.toggle(7)

    assert [seen.connection for seen in server.requests] == [1, 2]


@pytest.mark.parametrize("turns", range(8))
async def test_a_kept_connection_that_closes_while_the_next_toggle_begins_flips_once(
    turns: int,
) -> None:
    """The close arrives at any moment around the sending."""
    toggled = answer(envelope({"id": 7, "status": True}))
    async with RawServer(put=toggled) as server, leak_checked_client(server) as client:
        await client.toggle(7)
        server.peers[0].reset()
        for _ in range(turns):
            await asyncio.sleep(0)
        try:
            await client.toggle(7)
        except TransportError as error:
            assert error.sent  # noqa: PT017 - either is right, but a failure must be in doubt
        assert len(server.requests) in {1, 2}


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (408, False), (429, False), (499, True), (500, False)]
)
def test_a_proxy_refuses_for_good_with_most_client_errors(*, status: int, final: bool) -> None:
    failure = ConnectionFailure.of(aiohttp.ClientHttpProxyError(Mock(), (), status=status))
    assert failure.proxy_status == (status if final else 0)


@pytest.mark.parametrize(
    ("error", "stale"),
    [
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), True),
        (aiohttp.ClientConnectorError(Mock(), OSError(errno.ECONNREFUSED, "refused")), False),
        (aiohttp.ClientPayloadError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_a_connection_that_there_was_can_have_been_closed(
    *, error: Exception, stale: bool
) -> None:
    assert ConnectionFailure.of(error).stale is stale


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (9, "the clock of this machine is wrong"),
        (10, "the clock of this machine is wrong"),
        (18, "trust the certificate authority of the service"),
        (62, "check the host in the base URL"),
        (64, "check the host in the base URL"),
    ],
)
def test_each_defect_of_a_certificate_has_its_remedy(code: int, remedy: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    assert remedy in certificate_remedy(error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ssl.SSLError(), "no reason was given"),
        (socket.gaierror(socket.EAI_NONAME, "Name not known"), "Name not known"),
        (OSError(errno.ECONNREFUSED, "at ('127.0.0.1', 1)"), "Connection refused"),
        (ConnectionResetError(), "it was closed"),
        (OSError(), "no reason was given"),
        (ValueError("secret"), "no reason was given"),
    ],
    ids=repr,
)
def test_the_reason_is_in_words_without_values(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
