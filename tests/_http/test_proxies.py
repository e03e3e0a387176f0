"""Forward proxies: what they get to see, what their failures are called, and what is done then."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import trustme
from yarl import URL

from restream_async import (
    AttemptTimeoutError,
    CertificateError,
    ConfigurationError,
    Failed,
    ForbiddenError,
    OutcomeUnknownError,
    ProxyError,
    RestreamClient,
    RestreamError,
    TransportError,
)
from tests.helpers.client_calls import CALLS, collect, failure_of
from tests.helpers.clients import client_of
from tests.helpers.leak_checks import assert_nothing_left, leak_checked_client
from tests.helpers.raw_server import RawServer, then_close, then_hang
from tests.helpers.relay import CONNECTED, Relay
from tests.helpers.samples import (
    API_KEY,
    BACKEND_FETCH_FAILED,
    SECRETS,
    answer,
    as_asked,
    created,
    listed,
    many,
    new_restream,
    on_the_wire,
)
from tests.helpers.silent_server import SilentServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from restream_async import Outcome

AUTHORITY: Final = trustme.CA()
NAME: Final = "service.test"
USER: Final = "alice"
PASSWORD: Final = "p@ss-word/ü"
LOGIN: Final = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
IN_URL: Final = f"{USER}:p%40ss-word%2F%C3%BC"
HIDDEN: Final = (*SECRETS, PASSWORD, LOGIN, IN_URL, "p%40ss-word%2F%C3%BC")


def _tls(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    return context


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=AUTHORITY.cert_pem.bytes().decode())
    return context


def _service(**scripts: Any) -> RawServer:  # noqa: ANN401 - of the raw server
    return RawServer(tls=_tls(NAME), **scripts)


@asynccontextmanager
async def _through(
    proxy: Relay | RawServer,
    server: RawServer,
    /,
    *,
    login: str = f"{IN_URL}@",
    brought: bool = False,
    **settings: Any,  # noqa: ANN401 - of a client
) -> AsyncGenerator[RestreamClient]:
    """Open a client of the service that the proxy leads to: no resolver knows its name."""
    where = proxy.url if isinstance(proxy, Relay) else proxy.base_url
    settings = {
        "base_url": f"{'https' if isinstance(proxy, Relay) else 'http'}://{NAME}",
        "allow_http": True,
        "proxy": where.replace("://", f"://{login}"),
        "ssl": _trusting(),
        **settings,
    }
    async with AsyncExitStack() as stack:
        if brought:
            settings["session"] = await stack.enter_async_context(aiohttp.ClientSession())
        yield await stack.enter_async_context(leak_checked_client(server, **settings))


@pytest.mark.parametrize("brought", [False, True])
async def test_the_proxy_of_an_encrypted_service_sees_its_host_and_the_login_only(
    *, brought: bool
) -> None:
    async with (
        _service(post=as_asked, get=listed()) as server,
        Relay(server.port) as proxy,
        _through(proxy, server, brought=brought) as client,
    ):
        await client.list("v1")
        for new in many(3):
            await client.create(new)

    # One connection served them all.
    [head] = proxy.heads
    assert head.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {LOGIN}\r\n" in head
    assert not [secret for secret in SECRETS if secret in head]
    for seen in server.requests:
        assert seen.headers["authorization"] == API_KEY
        assert (seen.headers["host"], seen.path[:7]) == (NAME, "/api/v1")
        assert "proxy-authorization" not in seen.headers


@pytest.mark.parametrize("brought", [False, True])
@pytest.mark.parametrize("login", ["", f"{IN_URL}@"])
async def test_the_proxy_of_a_service_without_tls_gets_its_login_with_each_request(
    login: str, *, brought: bool
) -> None:
    async with (
        RawServer(post=as_asked, get=listed()) as proxy,
        _through(proxy, proxy, login=login, brought=brought) as client,
    ):
        await client.list("v1")
        await client.create(new_restream())
        await client.create(new_restream())

    assert [seen.method for seen in proxy.requests] == ["GET", "POST", "POST"]
    for seen in proxy.requests:
        assert seen.path.startswith(f"http://{NAME}/api/v1/p1/")
        assert (seen.headers["host"], seen.headers["authorization"]) == (NAME, API_KEY)
        assert seen.headers.get("proxy-authorization") == (f"Basic {LOGIN}" if login else None)


async def test_a_proxy_may_be_given_as_a_url_and_without_a_scheme() -> None:
    async with _service(post=created()) as server, Relay(server.port) as proxy:
        for given in (URL(proxy.url), f"127.0.0.1:{proxy.here}"):
            async with _through(proxy, server, proxy=given) as client:
                assert (await client.create(new_restream())).id == 7

    assert not [head for head in proxy.heads if "Proxy-Authorization" in head]


async def test_the_way_to_the_proxy_may_be_encrypted_too() -> None:
    async with (
        _service(post=created()) as server,
        Relay(server.port, tls=_tls("127.0.0.1")) as proxy,
        _through(proxy, server) as client,
    ):
        assert (await client.create(new_restream())).id == 7


async def test_what_is_sent_again_has_a_connection_of_its_own_through_the_proxy() -> None:
    async with (
        _service(post=[BACKEND_FETCH_FAILED, created()], get=listed()) as server,
        Relay(server.port) as proxy,
        _through(proxy, server) as client,
    ):
        assert (await client.create(new_restream())).id == 7

    assert server.order == "POST GET POST"
    assert [seen.connection for seen in server.requests] == [1, 1, 2]
    assert len(proxy.heads) == 2


async def test_a_private_authority_is_trusted_behind_a_proxy_only_where_it_is_named() -> None:
    async with _service(post=created()) as server, Relay(server.port) as proxy:
        async with _through(proxy, server, ssl=None) as client:
            error = await failure_of(client.create(new_restream()), CertificateError)
        async with _through(proxy, server) as client:
            assert (await client.create(new_restream())).id == 7

    assert f"the certificate of {NAME} could not be verified" in str(error)
    assert str(error).endswith("with ssl=… or the variable SSL_CERT_FILE")


CHECK_PROXY: Final = "check the proxy: proxy=… or the variable that names it"
SHORT: Final = 0.2
LOGIN_WANTED: Final = (
    "the proxy asks for a user name and password (407 Proxy Authentication Required)"
)
LOGIN_HINT: Final = (
    "put the right ones into the proxy URL, as in http://user:password@proxy.example.com:3128"
)


@pytest.mark.parametrize(
    ("status", "words", "remedy"),
    [
        (
            "407 Proxy Authentication Required",
            LOGIN_WANTED,
            LOGIN_HINT,
        ),
        (
            "403 Forbidden",
            "the proxy refuses to connect to the service (403 Forbidden)",
            "check that the proxy allows the host and the port of the service",
        ),
        (
            "499 No",
            "the proxy refuses to connect to the service (499)",
            "check that the proxy allows the host and the port of the service",
        ),
    ],
)
@pytest.mark.parametrize("call", CALLS)
async def test_a_proxy_that_refuses_ends_a_call_at_once_and_says_what_to_do(
    call: str, status: str, words: str, remedy: str
) -> None:
    page = answer(f"{PASSWORD} {LOGIN}".encode(), status)
    async with (
        _service() as server,
        Relay(server.port, answer=page) as proxy,
        _through(proxy, server) as client,
    ):
        error = await failure_of(CALLS[call](client), ProxyError)
        await assert_nothing_left(client)

    assert (error.attempts, error.sent, len(proxy.heads)) == (1, False, 1)
    assert str(error).startswith(f"{words}: {error.call}, 1 attempt; {remedy}")


async def test_without_tls_a_proxy_that_wants_a_login_is_told_apart_from_the_service() -> None:
    page = answer(b"<h1>Cache Access Denied</h1>", "407 Proxy Authentication Required")
    async with RawServer(post=page) as proxy, _through(proxy, proxy) as client:
        error = await failure_of(client.create(new_restream()), ProxyError)

    assert (error.attempts, error.sent, proxy.counts) == (1, False, {"POST": 1})
    assert str(error) == f"{LOGIN_WANTED}: {error.call}, 1 attempt; {LOGIN_HINT}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            answer(b"no route", "503 Service Unavailable"),
            "the proxy could not connect to the service (503)",
        ),
        (answer(b"", "429 Slow down"), "the proxy could not connect to the service (429)"),
        (b"", "the proxy closed the connection without an answer"),
        (b"SSH-2.0\r\n\r\n", "what the proxy answered cannot be read (it is not valid HTTP)"),
    ],
)
async def test_other_failures_of_a_proxy_are_tried_again_and_nothing_was_sent(
    said: bytes, words: str
) -> None:
    async with (
        _service() as server,
        Relay(server.port, answer=said) as proxy,
        _through(proxy, server, attempts=3) as client,
    ):
        error = await failure_of(client.create(new_restream()), TransportError)
        await assert_nothing_left(client)

    assert (error.attempts, error.sent, len(proxy.heads)) == (3, False, 3)
    assert str(error).startswith(f"{words}: ")


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with _service() as server, Relay(server.port) as proxy:
        where = proxy.here
    async with _through(proxy, server, attempts=2) as client:
        error = await failure_of(client.create(new_restream()), TransportError)

    assert (error.attempts, error.sent) == (2, False)
    assert f"no connection to the proxy, 127.0.0.1 port {where} (Connection refused)" in str(error)
    assert str(error).endswith(f"; {CHECK_PROXY}")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_whose_name_does_not_resolve_is_named(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    proxy = f"{scheme}://{IN_URL}@no.such.proxy.example:3128"
    async with leak_checked_client(RawServer(), base_url=f"https://{NAME}", proxy=proxy) as client:
        error = await failure_of(client.create(new_restream()), TransportError)

    assert str(error).startswith(
        "the name of the proxy, no.such.proxy.example, could not be resolved (Name or service not"
    )
    assert str(error).endswith(f"; {CHECK_PROXY}")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_does_not_take_a_connection_in_time_is_named(
    scheme: str, full_port: int
) -> None:
    proxy = f"{scheme}://{IN_URL}@127.0.0.1:{full_port}"
    async with leak_checked_client(
        RawServer(), base_url=f"https://{NAME}", proxy=proxy, timeout=SHORT, attempts=1
    ) as client:
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)
        await assert_nothing_left(client)

    assert str(error).startswith(
        f"no connection to the proxy, 127.0.0.1 port {full_port}, within {SHORT:g} s: "
    )
    assert str(error).endswith(f"; {CHECK_PROXY}")


async def test_a_proxy_that_only_the_session_knows_is_told_from_the_service(
    full_port: int,
) -> None:
    async with (
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{full_port}") as session,
        leak_checked_client(
            RawServer(), base_url=f"https://{NAME}", session=session, timeout=SHORT, attempts=1
        ) as client,
    ):
        error = await failure_of(client.create(new_restream()), AttemptTimeoutError)

    assert str(error).startswith(f"no connection to the proxy within {SHORT:g} s: ")


async def test_a_proxy_that_speaks_no_tls_in_time_is_named() -> None:
    with SilentServer() as proxy:
        async with leak_checked_client(
            RawServer(),
            base_url=f"https://{NAME}",
            proxy=proxy.base_url.replace("http:", "https:"),
            timeout=SHORT,
            attempts=1,
        ) as client:
            error = await failure_of(client.create(new_restream()), AttemptTimeoutError)

    assert str(error).startswith("no connection to the proxy, 127.0.0.1 port ")
    assert str(error).endswith(f"; {CHECK_PROXY}")


async def test_a_proxy_that_waits_in_vain_for_the_service_is_not_to_blame() -> None:
    with SilentServer() as proxy:
        async with leak_checked_client(
            RawServer(),
            base_url=f"https://{NAME}",
            proxy=proxy.base_url,
            timeout=SHORT,
            attempts=1,
        ) as client:
            error = await failure_of(client.create(new_restream()), AttemptTimeoutError)

    assert f"CONNECT {NAME}:443" in proxy.received.decode()
    assert (error.sent, error.note) == (False, "")
    assert str(error).startswith(f"no connection through the proxy within {SHORT:g} s: ")


async def test_the_certificate_of_a_proxy_is_told_from_that_of_the_service() -> None:
    async with (
        _service(post=created()) as server,
        Relay(server.port, tls=_tls("127.0.0.1")) as proxy,
        _through(proxy, server, ssl=None) as client,
    ):
        error = await failure_of(client.create(new_restream()), CertificateError)

    assert str(error).startswith("the certificate of the proxy, 127.0.0.1 could not be verified (")
    assert str(error).endswith(
        "; trust the certificate authority of the proxy with ssl=… or the variable SSL_CERT_FILE"
    )


async def test_a_proxy_that_dies_after_a_creation_was_sent_leaves_a_doubt_that_is_checked() -> None:
    there = on_the_wire(new_restream(), 9)
    async with (
        _service(post=then_hang(), get=listed(there)) as server,
        Relay(server.port) as proxy,
        _through(proxy, server) as client,
    ):
        creation = asyncio.create_task(client.create(new_restream()))
        await server.arrived(1, "POST")
        proxy.cut()
        assert (await creation).id == 9

    assert server.order == "POST GET"


async def test_a_proxy_that_dies_before_the_tunnel_stands_has_sent_nothing() -> None:
    async with (
        _service(post=created()) as server,
        Relay(server.port, answer=CONNECTED[:12]) as proxy,
        _through(proxy, server, attempts=2) as client,
    ):
        error = await failure_of(client.create(new_restream()), TransportError)
        proxy.answer = CONNECTED
        assert (await client.create(new_restream())).id == 7

    assert (error.sent, server.counts) == (False, {"POST": 1})


@pytest.mark.parametrize("found", [True, False])
async def test_a_proxy_that_refuses_after_a_doubt_does_not_call_the_creation_unsent(
    *, found: bool
) -> None:
    lists = [listed(), listed(on_the_wire(new_restream(), 9))] if found else listed()
    async with (
        _service(post=BACKEND_FETCH_FAILED, get=lists) as server,
        Relay(server.port) as proxy,
        _through(proxy, server, max_in_flight=1) as client,
    ):
        # Its check goes over the connection that stands; the creation that is sent again does not.
        await client.list("v2")
        proxy.answer = answer(b"", "407 Login")
        if found:
            assert (await client.create(new_restream())).id == 9
        else:
            error = await failure_of(client.create(new_restream()), ProxyError)
            assert error.attempts == 2

    assert server.order.startswith("GET POST GET")
    assert server.counts["POST"] == 1


async def test_where_the_proxy_refuses_the_check_as_well_the_outcome_is_unknown() -> None:
    async with (
        _service(post=then_hang()) as server,
        Relay(server.port) as proxy,
        _through(proxy, server) as client,
    ):
        creation = asyncio.create_task(client.create(new_restream()))
        await server.arrived(1, "POST")
        proxy.answer = answer(b"", "407 Login")
        proxy.cut()
        error = await failure_of(creation, OutcomeUnknownError)
        await assert_nothing_left(client)

    # The second attempt did not come past the proxy.
    assert (error.attempts, server.order) == (2, "POST")


async def test_a_proxy_that_refuses_ends_a_bulk_run_at_once() -> None:
    outcomes: list[Outcome] = []
    async with (
        _service() as server,
        Relay(server.port, answer=answer(b"", "407 Login")) as proxy,
        _through(proxy, server, max_in_flight=4) as client,
    ):
        with pytest.raises(ProxyError):
            await asyncio.wait_for(collect(client, many(1000), outcomes), 10)

    assert len(proxy.heads) <= 8
    assert all(isinstance(outcome, Failed) for outcome in outcomes)


async def test_the_login_of_a_proxy_is_never_shown() -> None:
    echo = f"<p>{PASSWORD} {LOGIN} {IN_URL}</p>".encode()
    told: list[str] = []
    async with (
        RawServer(post=answer(echo, "403 Forbidden"), get=then_close(echo)) as proxy,
        _through(proxy, proxy, attempts=1) as client,
    ):
        told += [repr(client), repr(vars(client))]
        refused = await failure_of(client.create(new_restream()), ForbiddenError)
        told += [str(refused), repr(refused)]
        with pytest.raises(RestreamError) as caught:
            await client.list("v1")
        told.append(str(caught.value))

    assert "403 Forbidden" in told[2]
    assert not [secret for secret in HIDDEN if secret in "".join(told)]


class TestFromTheEnvironment:
    @pytest.fixture(autouse=True)
    def _looked_up_by_nobody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def look(*_: object) -> None:
            pytest.fail("aiohttp has looked up the environment, as it does for each request")

        monkeypatch.setattr("aiohttp.client.get_env_proxy_for_url", look)

    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
    async def test_it_is_taken_once_where_that_is_asked_for(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with _service(post=created()) as server, Relay(server.port) as proxy:
            monkeypatch.setenv(variable, f"http://{IN_URL}@127.0.0.1:{proxy.here}")
            async with _through(proxy, server, proxy=None, trust_env=True) as client:
                monkeypatch.setenv(variable, "http://127.0.0.1:9")
                await client.create(new_restream())
                await client.create(new_restream())

        [head] = proxy.heads
        assert f"Proxy-Authorization: Basic {LOGIN}\r\n" in head

    async def test_an_argument_goes_before_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        async with (
            _service(post=created()) as server,
            Relay(server.port) as proxy,
            _through(proxy, server, trust_env=True) as client,
        ):
            await client.create(new_restream())

        assert len(proxy.heads) == 1

    async def test_a_service_on_this_machine_is_spoken_to_without_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with (
            RawServer(post=created()) as server,
            leak_checked_client(server, trust_env=True, attempts=1) as client,
        ):
            assert (await client.create(new_restream())).id == 7


def _settings(base_url: str, **settings: Any) -> Any:  # noqa: ANN401 - its private settings
    client = client_of(base_url, **settings)
    return client._settings.proxy  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("environment", "base_url", "url"),
    [
        ({}, "https://api.example.com", None),
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "https://api.example.com", "p"),
        ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "http://api.example.com", "q"),
        ({"HTTPS_PROXY": "p:1", "ALL_PROXY": "http://r:3"}, "https://api.example.com", "p"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://r:3"}, "https://api.example.com", "r"),
        ({"ALL_PROXY": "http://r:3", "NO_PROXY": "example.com"}, "https://api.example.com", None),
        ({"ALL_PROXY": "http://r:3", "NO_PROXY": "*"}, "https://api.example.com", None),
        (
            {"ALL_PROXY": "http://r:3", "NO_PROXY": "api.example.com:8443"},
            "https://api.example.com:8443/vp",
            None,
        ),
        (
            {"ALL_PROXY": "http://r:3", "NO_PROXY": "api.example.com:8443"},
            "https://api.example.com:9443",
            "r",
        ),
        ({"ALL_PROXY": "http://r:3"}, "http://localhost:8080", None),
        ({"ALL_PROXY": "http://r:3"}, "https://[::1]:8080", None),
    ],
)
def test_which_variable_counts_for_which_service(
    environment: dict[str, str],
    base_url: str,
    url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _settings(base_url, allow_http=True) is None
    proxy = _settings(base_url, allow_http=True, trust_env=True)
    assert proxy == url or proxy.url.startswith(f"http://{url}:")


EXAMPLE: Final = "such as http://user:password@proxy.example.com:3128"
SOCKS: Final = (
    f"is a SOCKS proxy, which is not supported: it must begin with http:// or https://, {EXAMPLE}"
)
ENCODED: Final = (
    f"must end with its host and port, {EXAMPLE}, with special characters of a user name or "
    "password percent-encoded"
)


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("", f"must have a scheme and a host, {EXAMPLE}"),
        (" ", "must not begin with U+0020 (space)"),
        ("http://", f"must have a scheme and a host, {EXAMPLE}"),
        ("socks5://proxy.example.com:1080", SOCKS),
        ("ftp://proxy.example.com", f"must begin with http:// or https://, {EXAMPLE}"),
        ("http://proxy.example.com:0x50", "must have a port from 1 to 65535, or none"),
        ("http://proxy.example.com:70000", "must have a port from 1 to 65535, or none"),
        ("http://proxy.example.com/path", ENCODED),
        ("http://proxy.example.com?query", ENCODED),
        ("http://alice:sEcReT#1@proxy.example.com:3128", ENCODED),
        ("http://alice:sEcReT/1@proxy.example.com:3128", ENCODED),
        (
            "http://alice:sEcReT 1@proxy.example.com",
            "must not contain U+0020 (space): it is character 20",
        ),
        ("http://proxy.example.com:3128\n", "must not end with U+000A (line break)"),
        ("http://proxy.example.com:3128\u200b", "must not end with U+200B (zero width space)"),
    ],
)
def test_a_malformed_proxy_is_refused_and_not_repeated(
    proxy: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings("https://api.example.com", proxy=proxy)
    assert str(caught.value) == f"proxy {problem} (set it with proxy=…)"
    if proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        with pytest.raises(ConfigurationError) as caught:
            _settings("https://api.example.com", trust_env=True)
        variable = "set the variable ALL_PROXY"
        assert str(caught.value) == f"the proxy in ALL_PROXY {problem} ({variable})"
        assert "(set the variable ALL_PROXY)" in str(caught.value)


def test_a_proxy_with_a_host_that_no_name_can_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy has a host that no DNS name"):
        _settings("https://api.example.com", proxy="http://proxy..example.com:3128")


def test_a_proxy_is_a_string_or_a_url() -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy must be a string, not int"):
        _settings("https://api.example.com", proxy=3128)


def test_a_proxy_elsewhere_does_not_get_the_key_of_a_service_on_this_machine_unencrypted() -> None:
    base_url = "http://127.0.0.1:8080"
    with pytest.raises(ConfigurationError, match="unencrypted to the proxy: use https://, or pass"):
        _settings(base_url, proxy="http://proxy.example.com:3128")
    assert _settings(base_url, proxy="http://proxy.example.com:3128", allow_http=True)
    assert _settings(base_url, proxy="http://localhost:3128")
