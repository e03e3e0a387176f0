"""Everything through a real Squid, to a service with a certificate of a private authority."""

import asyncio
import os
import ssl
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from restream_async import (
    CertificateError,
    Origin,
    ProxyError,
    RestreamClient,
    RetryPolicy,
    TransportError,
)
from restream_async._util.clock import Clock
from restream_async.sandbox import Sandbox
from tests.helpers.clients import client_of
from tests.helpers.polling import until
from tests.helpers.programs import find
from tests.helpers.relay import Relay
from tests.helpers.samples import API_KEY
from tests.helpers.squid import NAME, USER, Squid, squid
from tests.helpers.varnish_clients import PROJECT, STREAM_KEY, new, service

AUTHORITY = trustme.CA()
PASSWORD = "password-5d1e"


@attrs.frozen(kw_only=True)
class ProxySetup:
    """A service that only its proxy can reach, with TLS (`https`) and without it (`http`)."""

    proxy: Squid
    sandbox: Sandbox
    https: str
    http: str

    def client(self, base_url: str, **changes: Any) -> RestreamClient:  # noqa: ANN401 - of a client
        settings: dict[str, Any] = {
            "clock": Clock(),
            "timeout": 30.0,
            "retry": RetryPolicy(base=0.05, cap=0.2, deadline=20.0),
            "proxy": self.proxy.url,
            "ssl": trusting(),
            "allow_http": True,
            **changes,
        }
        return client_of(base_url, **settings)

    @property
    def url_with_login(self) -> str:
        return self.proxy.url.replace("://", f"://{USER}:{PASSWORD}@")


OpenProxySetup = Callable[..., AbstractAsyncContextManager[ProxySetup]]


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=AUTHORITY.cert_pem.bytes().decode())
    return context


@pytest.fixture
def proxy_setup() -> OpenProxySetup:
    program = find("squid", "squid")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(NAME).configure_cert(tls)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL

    @asynccontextmanager
    async def open_setup(rules: str = "open", **settings: Any) -> AsyncGenerator[ProxySetup]:  # noqa: ANN401 - of a sandbox
        async with service(**settings) as sandbox:
            port = int(sandbox.base_url.rpartition(":")[2])
            async with (
                Relay(port, answer=None, tls=tls) as front,
                squid(program, rules) as proxy,
            ):
                yield ProxySetup(
                    proxy=proxy,
                    sandbox=sandbox,
                    https=f"https://{NAME}:{front.here}",
                    http=f"http://{NAME}:{port}",
                )

    return open_setup


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_every_call_goes_through_the_proxy(scheme: str, proxy_setup: OpenProxySetup) -> None:
    async with proxy_setup() as setup, setup.client(getattr(setup, scheme)) as client:
        report = await client.create_all(new(f"v{number}") for number in range(50))
        assert {created.origin for created in report.created} == {Origin.POSTED}
        [there] = await client.list("v7")
        assert there.stream_key == STREAM_KEY
        assert (await client.toggle(there.id)).status is False
        assert await client.delete(there.id)
        assert await client.list("v7") == []
        assert len(setup.sandbox.stored) == 49


async def stored(sandbox: Sandbox, least: int) -> None:
    await until(lambda: len(sandbox.stored) >= least, pause=0.005)


async def test_a_proxy_killed_in_the_middle_of_a_run_loses_and_doubles_nothing(
    proxy_setup: OpenProxySetup,
) -> None:
    wanted = [new(f"v{number}") for number in range(150)]
    async with (
        proxy_setup(latency=0.02) as setup,
        setup.client(setup.https, max_in_flight=16) as client,
    ):
        run = asyncio.create_task(client.create_all(wanted))
        for least in (30, 90):
            await stored(setup.sandbox, least)
            await setup.proxy.kill()
            await setup.proxy.start()
        report = await asyncio.wait_for(run, 30)

        assert report.failed == ()
        copies = Counter(entry.video_id for entry in setup.sandbox.stored)
        assert copies == Counter(item.video_id for item in wanted)
        # It was handling requests.
        assert client.stats().retries > 0


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_proxy_that_wants_a_login_gets_it_or_is_named(
    scheme: str, proxy_setup: OpenProxySetup
) -> None:
    async with proxy_setup("login") as setup:
        base_url = getattr(setup, scheme)
        wrong = setup.proxy.url.replace("://", f"://mallory:{PASSWORD}@")
        for proxy in (setup.proxy.url, wrong):
            async with setup.client(base_url, proxy=proxy) as client:
                with pytest.raises(ProxyError) as caught:
                    await client.create(new())
            assert caught.value.attempts == 1
            assert "the proxy asks for a user name and password (407 Proxy" in str(caught.value)
        async with setup.client(base_url, proxy=setup.url_with_login) as client:
            await client.create(new())
        assert len(setup.sandbox.stored) == 1


async def test_a_proxy_that_lets_nothing_through_is_named(proxy_setup: OpenProxySetup) -> None:
    async with proxy_setup("closed") as setup, setup.client(setup.https) as client:
        with pytest.raises(ProxyError, match=r"proxy refuses to connect to the service \(403 For"):
            await client.create(new())


async def test_a_proxy_that_cannot_reach_the_service_has_sent_nothing(
    proxy_setup: OpenProxySetup,
) -> None:
    async with (
        proxy_setup() as setup,
        setup.client(f"https://{NAME}:1", retry=RetryPolicy(attempts=2, base=0.01)) as client,
    ):
        with pytest.raises(
            TransportError, match=r"could not connect to the service \(503\)"
        ) as caught:
            await client.create(new())
        assert (caught.value.sent, caught.value.attempts) == (False, 2)


async def test_a_private_authority_must_be_named(proxy_setup: OpenProxySetup) -> None:
    async with proxy_setup() as setup, setup.client(setup.https, ssl=None) as client:
        with pytest.raises(CertificateError, match=f"certificate of {NAME} could not be verified"):
            await client.create(new())


async def command(*words: str, **environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "restream_async.cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment, "COLUMNS": "500"},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, said.decode()


async def test_the_command_line_takes_the_proxy_of_the_environment_or_of_its_option(
    proxy_setup: OpenProxySetup, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(ca_file))
    listing = ("list", "v1", "--ca-file", str(ca_file))
    async with proxy_setup("login") as setup:
        settings = {
            "RESTREAM_BASE_URL": setup.https,
            "RESTREAM_PROJECT_ID": PROJECT,
            "RESTREAM_API_KEY": API_KEY,
            "HTTPS_PROXY": setup.url_with_login,
        }
        good, bad = await asyncio.gather(
            command(*listing, **settings),
            # One without a login.
            command(*listing, "--proxy", setup.proxy.url, **settings),
        )
        assert setup.sandbox.counts.lists == 1

    assert good == (0, "v1 has no restreams.\n")
    code, said = bad
    assert (code, said.startswith("Error: the proxy asks for a user name")) == (
        2,
        True,
    )
