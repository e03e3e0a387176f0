"""The way to the service: real sockets, real TLS, a proxy; no test needs a network."""

import asyncio
import datetime as dt
import socket
import ssl
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
import trustme

from restream_async._util.clock import Clock
from restream_async.cli.doctor.results import Result
from restream_async.sandbox import Sandbox
from tests.helpers.examination import examine, said, skipped_after, statuses
from tests.helpers.raw_server import RawServer
from tests.helpers.relay import Relay
from tests.helpers.samples import API_KEY, SELF_SIGNED, answer, listed
from tests.helpers.varnish import closed_port

AUTHORITY: Final = trustme.CA(organization_name="Test Trust")
NAME: Final = "service.test"
PASSWORD: Final = "password-5d1e"


def tls(name: str = "127.0.0.1", **validity: dt.datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name, **validity).configure_cert(context)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportUnknownMemberType] - of pyOpenSSL
    return context


def in_days(days: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Resolve names as a test says; the others do not exist."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


async def test_a_name_that_does_not_exist(names: dict[str, list[str]]) -> None:
    del names
    results = await examine("https://no.such.host.example")

    assert skipped_after(results, "DNS")
    assert said(results["DNS"]) == (
        "failed | the name no.such.host.example could not be resolved (Name or service not known) "
        "| Check the host in the base URL (RESTREAM_BASE_URL or --base-url), and the DNS server of "
        "this machine."
    )


async def test_the_addresses_of_a_name_are_shown_and_each_is_tried(
    names: dict[str, list[str]],
) -> None:
    with closed_port() as port:
        names["api.example"] = [f"127.0.0.{number}" for number in range(1, 7)]
        results = await examine(f"https://api.example:{port}")

    assert said(results["DNS"]) == (
        "ok | api.example is 127.0.0.1, 127.0.0.2, 127.0.0.3, 127.0.0.4 and 2 more"
    )
    assert skipped_after(results, "TCP")


@pytest.mark.parametrize("addresses", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
async def test_an_address_that_takes_no_connection_is_passed_over(
    names: dict[str, list[str]], addresses: list[str]
) -> None:
    names["localhost"] = addresses
    async with RawServer(get=listed()) as server:
        results = await examine(f"http://localhost:{server.port}")

    assert results["DNS"].detail == f"localhost is {', '.join(addresses)}"
    assert results["TCP"].detail.startswith(f"connected to 127.0.0.1 port {server.port} in ")


async def test_a_closed_port() -> None:
    with closed_port() as port:
        results = await examine(f"https://127.0.0.1:{port}")

    assert skipped_after(results, "TCP")
    assert said(results["TCP"]) == (
        f"failed | no connection to 127.0.0.1 port {port} (Connection refused) | Check the host "
        "and the port in the base URL (RESTREAM_BASE_URL or --base-url), and the firewalls in "
        "between."
    )
    assert said(results["clock"]) == "skipped | there is no answer"


async def test_a_port_that_takes_no_connection_in_time(
    full_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.examination.STEP_SECONDS", 0.05)
    results = await examine(f"https://127.0.0.1:{full_port}")

    assert skipped_after(results, "TCP")
    assert f"127.0.0.1 port {full_port} (no answer within 0.05 s)" in said(results["TCP"])


async def test_a_resolver_that_hangs_ends_with_its_check(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    del names
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: object, **__: object) -> list[Any]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr("restream_async.cli.doctor.examination.STEP_SECONDS", 0.05)
    results = await examine("https://api.example")
    released.set()
    await asyncio.sleep(0.02)  # for the answer that comes too late

    assert skipped_after(results, "DNS")
    assert "could not be resolved (no answer within 0.05 s)" in said(results["DNS"])


async def test_plain_http_under_https() -> None:
    async with Sandbox() as server:
        results = await examine(server.base_url.replace("http:", "https:"))

    assert skipped_after(results, "TLS")
    assert results["TLS"].detail == (
        "the service does not speak TLS on this port (wrong version number)"
    )
    assert results["TLS"].advice.startswith("It may be a port for plain http://: check the port, ")


async def test_plain_http_is_said_and_needs_no_tls() -> None:
    async with RawServer(get=listed()) as server:
        results = await examine(server.base_url)

    assert said(results["TLS"]) == "skipped | not used, the base URL is plain http://"
    assert results["list call"].status.value == "ok"


async def test_a_certificate_is_shown_with_its_issuer_and_its_days(ca_file: Path) -> None:
    async with RawServer(get=listed(), tls=tls(not_after=in_days(90.5))) as server:
        results = await examine(server.base_url, ca_file=ca_file)

    assert set(statuses(results).values()) <= {"ok", "skipped"}
    assert results["TLS"].detail.startswith("TLSv1.3 in ")
    assert results["TLS"].detail.endswith("certificate issued by Test Trust, 90 days left")


async def test_a_certificate_that_expires_soon_is_a_warning(ca_file: Path) -> None:
    async with RawServer(get=listed(), tls=tls(not_after=in_days(13.5))) as server:
        results = await examine(server.base_url, ca_file=ca_file)

    assert results["TLS"].status.value == "warning"
    assert "13 days left" in results["TLS"].detail
    assert results["list call"].status.value == "ok"


async def test_an_expired_certificate(ca_file: Path) -> None:
    expired = tls(not_before=in_days(-100), not_after=in_days(-1.5))
    async with RawServer(get=listed(), tls=expired) as server:
        results = await examine(server.base_url, ca_file=ca_file)

    assert skipped_after(results, "TLS")
    assert said(results["TLS"]) == (
        "failed | the certificate of the service could not be verified (certificate has expired), "
        "issued by Test Trust, expired 2 days ago | The service has to renew its certificate, "
        "unless the clock of this machine is wrong."
    )


async def test_an_authority_that_is_not_trusted_is_named() -> None:
    async with RawServer(get=listed(), tls=tls(not_after=in_days(30.5))) as server:
        results = await examine(server.base_url)

        assert server.requests == []
    assert skipped_after(results, "TLS")
    assert "unable to get local issuer certificate" in results["TLS"].detail
    assert results["TLS"].detail.endswith("issued by Test Trust, 30 days left")
    assert results["TLS"].advice == (
        "Trust the certificate authority of the service with --ca-file or the variable "
        "SSL_CERT_FILE."
    )


async def test_the_certificate_of_another_host(ca_file: Path) -> None:
    async with RawServer(get=listed(), tls=tls("other.example")) as server:
        results = await examine(server.base_url, ca_file=ca_file)

    assert skipped_after(results, "TLS")
    assert results["TLS"].advice == (
        "Check the host in the base URL: the certificate is that of another one."
    )


class Through(Protocol):
    async def __call__(self, proxy: str, scheme: str = "https") -> dict[str, Result]: ...


@pytest.fixture
def through(ca_file: Path) -> Through:
    async def run(proxy: str, scheme: str = "https") -> dict[str, Result]:
        return await examine(
            f"{scheme}://{NAME}",
            proxy=proxy.replace("://", f"://alice:{PASSWORD}@"),
            ca_file=ca_file,
            allow_http=True,
        )

    return run


async def test_a_proxy_with_its_tunnel(through: Through) -> None:
    async with (
        RawServer(get=listed(), tls=tls(NAME)) as server,
        Relay(server.port) as proxy,
    ):
        results = await through(proxy.url)

    assert [*results][:6] == [
        "settings",
        "proxy",
        "DNS of the proxy",
        "TCP of the proxy",
        "tunnel",
        "TLS through the tunnel",
    ]
    assert set(statuses(results).values()) <= {"ok", "skipped"}
    assert results["proxy"].detail == f"{proxy.url} from --proxy, with a login"
    assert results["tunnel"].detail.startswith(f"the proxy opened one to {NAME} port 443 in ")
    assert not [each for each in results.values() if PASSWORD in said(each)]
    assert not [head for head in proxy.heads if API_KEY in head or "Proxy-Auth" not in head]


async def test_a_proxy_with_tls_of_its_own(through: Through) -> None:
    async with (
        RawServer(get=listed(), tls=tls(NAME)) as server,
        Relay(server.port, tls=tls()) as proxy,
    ):
        results = await through(proxy.url)

    assert results["TLS of the proxy"].detail.startswith("the connection to the proxy is encrypted")
    assert results["list call"].status.value == "ok"


async def test_a_proxy_whose_certificate_is_not_trusted(through: Through) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.load_cert_chain(SELF_SIGNED)
    async with RawServer() as server, Relay(server.port, tls=other) as proxy:
        results = await through(proxy.url)

    assert skipped_after(results, "TLS of the proxy")
    assert "the certificate of the proxy could not be verified" in said(results["TLS of the proxy"])
    assert "certificate authority of the proxy" in results["TLS of the proxy"].advice


async def test_a_proxy_without_tls_under_https(through: Through) -> None:
    async with Sandbox() as proxy:
        results = await through(proxy.base_url.replace("http:", "https:"))

    assert skipped_after(results, "TLS of the proxy")
    assert results["TLS of the proxy"].advice.endswith("http or https, in the proxy URL.")


async def test_a_plain_service_behind_a_proxy_needs_no_tunnel(through: Through) -> None:
    async with RawServer(get=listed()) as proxy:
        results = await through(proxy.base_url, "http")

    assert "tunnel" not in results
    assert results["list call"].status.value == "ok"


@pytest.mark.parametrize(
    ("head", "detail", "advice"),
    [
        (
            answer(b"", "407 Proxy Authentication Required"),
            "the proxy asks for a user name and password (407)",
            "Put the right user name and password into the proxy URL in the variable HTTPS_PROXY",
        ),
        (
            answer(b"", "403 Forbidden"),
            "the proxy refuses to connect to the service (403)",
            "Check that the proxy allows the host and the port of the service.",
        ),
        (
            answer(b"", "503 Service Unavailable"),
            "the proxy could not connect to the service (503)",
            "Check the host in the base URL (RESTREAM_BASE_URL or --base-url), and whether the",
        ),
        (b"SSH-2.0\r\n\r\n", "what the proxy answered is no HTTP", "Check the proxy (--proxy, or"),
        (
            b"",
            "the proxy did not answer (it closed the connection)",
            "Check the proxy (--proxy, or the variable that",
        ),
        (b"x" * 2**17, "the proxy did not answer (", "Check the proxy (--proxy, or the variable"),
    ],
    ids=["login", "refused", "unreachable", "no HTTP", "nothing", "endless"],
)
async def test_a_proxy_that_opens_no_tunnel(
    through: Through, head: bytes, detail: str, advice: str
) -> None:
    async with RawServer() as server, Relay(server.port, answer=head) as proxy:
        results = await through(proxy.url)

    assert skipped_after(results, "tunnel")
    assert results["tunnel"].detail.startswith(detail)
    assert results["tunnel"].advice.startswith(advice)


async def test_a_proxy_that_is_not_there(through: Through, names: dict[str, list[str]]) -> None:
    with closed_port() as port:
        names["127.0.0.1"] = ["127.0.0.1"]
        results = await through(f"http://127.0.0.1:{port}")
        nameless = await through("http://no.proxy.example:3128")

    assert skipped_after(results, "TCP of the proxy")
    assert results["TCP of the proxy"].advice.startswith("Check the proxy (--proxy, or the")
    assert skipped_after(nameless, "DNS of the proxy")
    assert nameless["DNS of the proxy"].advice.startswith("Check the proxy (--proxy, or the")


async def test_a_service_that_is_silent_behind_a_proxy(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.examination.STEP_SECONDS", 0.2)
    async with RawServer() as server, Relay(server.port) as proxy:
        results = await through(proxy.url)

    assert skipped_after(results, "TLS through the tunnel")
    assert "does not speak TLS on this port (no answer within 0.2 s)" in said(
        results["TLS through the tunnel"]
    )


async def test_the_times_are_those_of_the_clock() -> None:
    moments = iter(range(1000))
    async with RawServer(get=listed()) as server:
        results = await examine(server.base_url, clock=Clock(now=lambda: float(next(moments)) / 2))

    assert results["TCP"].detail.endswith(" in 500 ms")
