"""`doctor` as a process: through a real Squid, and before a real Varnish without its backend."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.helpers.programs import find
from tests.helpers.relay import Relay
from tests.helpers.samples import API_KEY
from tests.helpers.squid import NAME, USER, squid
from tests.helpers.varnish_clients import PROJECT, service
from tests.real.conftest import OpenVarnishSetup

AUTHORITY = trustme.CA(organization_name="Test Trust")
PASSWORD = "password-5d1e"


async def doctor(base_url: str, *options: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """Run it; return the exit code and the checks by their names."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESTREAM_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "restream_async.cli", "doctor", "--json", *options),
        env={
            **kept,
            "RESTREAM_BASE_URL": base_url,
            "RESTREAM_PROJECT_ID": PROJECT,
            "RESTREAM_API_KEY": API_KEY,
            **variables,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert err == b""
    assert API_KEY.encode() not in out
    assert PASSWORD.encode() not in out
    return process.returncode or 0, {each["check"]: each for each in json.loads(out)}


def failures(checks: dict[str, Any]) -> list[str]:
    return [name for name, each in checks.items() if each["status"] == "failed"]


@asynccontextmanager
async def encrypted(name: str = NAME) -> AsyncGenerator[int]:
    """Run a service with TLS; give its port."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(tls)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL
    async with service() as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        async with Relay(port, answer=None, tls=tls) as relay:
            yield relay.here


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


async def test_all_is_well_through_a_proxy_with_a_login(ca_file: str) -> None:
    async with encrypted() as port, squid(find("squid", "squid"), "login") as proxy:
        code, checks = await doctor(
            f"https://{NAME}:{port}",
            *("--ca-file", ca_file),
            HTTPS_PROXY=proxy.url.replace("://", f"://{USER}:{PASSWORD}@"),
        )

    assert (code, failures(checks)) == (0, [])
    assert checks["proxy"]["detail"] == f"{proxy.url} from HTTPS_PROXY, with a login"
    assert checks["tunnel"]["detail"].startswith(f"the proxy opened one to {NAME} port {port}")
    assert "issued by Test Trust" in checks["TLS through the tunnel"]["detail"]
    assert checks["list call"]["detail"].startswith("it shows 0 restreams")


@pytest.mark.parametrize(("rules", "status"), [("login", 407), ("closed", 403)])
async def test_a_proxy_that_refuses(ca_file: str, rules: str, status: int) -> None:
    async with encrypted() as port, squid(find("squid", "squid"), rules) as proxy:
        code, checks = await doctor(
            f"https://{NAME}:{port}", *("--ca-file", ca_file), *("--proxy", proxy.url)
        )

    assert (code, failures(checks)) == (1, ["tunnel"])
    assert f"({status})" in checks["tunnel"]["detail"]
    assert checks["HTTP"]["detail"] == "tunnel failed"


async def test_a_plain_service_through_a_proxy_that_wants_a_login() -> None:
    async with service() as sandbox, squid(find("squid", "squid"), "login") as proxy:
        port = sandbox.base_url.rpartition(":")[2]
        code, checks = await doctor(
            f"http://{NAME}:{port}", "--allow-http", *("--proxy", proxy.url)
        )

    assert (code, failures(checks)) == (1, ["HTTP"])
    assert "asks for a user name and password (407" in checks["HTTP"]["detail"]


async def test_an_authority_that_is_not_trusted_and_another_host(ca_file: str) -> None:
    async with encrypted("127.0.0.1") as port:
        code, checks = await doctor(f"https://127.0.0.1:{port}")
        _, of_another = await doctor(f"https://localhost:{port}", "--ca-file", ca_file)

    assert (code, failures(checks)) == (1, ["TLS"])
    assert "issued by Test Trust" in checks["TLS"]["detail"]
    assert checks["TLS"]["advice"].startswith("Trust the certificate authority of the service with")
    assert failures(of_another) == ["TLS"]
    assert "is that of another one" in of_another["TLS"]["advice"]


async def test_plain_http_under_https() -> None:
    async with service() as sandbox:
        code, checks = await doctor(sandbox.base_url.replace("http:", "https:"))

    assert (code, failures(checks)) == (1, ["TLS"])
    assert checks["TLS"]["detail"].startswith("the service does not speak TLS on this port (")


async def test_a_varnish_without_its_backend(dead_backend: str) -> None:
    code, checks = await doctor(dead_backend)

    assert (code, failures(checks)) == (1, ["HTTP"])
    assert checks["HTTP"]["detail"].startswith("503 Backend fetch failed in ")
    assert checks["HTTP"]["advice"].startswith("A cache (Varnish) answers in place of the service")
    assert checks["clock"]["detail"] == "as at the service, within a minute"


async def test_a_varnish_that_caches_lists_does_not_deceive_it(
    varnish_setup: OpenVarnishSetup,
) -> None:
    async with varnish_setup(cache_seconds=60) as setup:
        for _ in range(2):
            code, checks = await doctor(setup.base_url, "--video", "v1")
            assert (code, failures(checks)) == (0, [])
        assert setup.sandbox.counts.lists == 4
