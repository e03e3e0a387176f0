import asyncio
from pathlib import Path

import pytest

from restream_async._util.clock import Clock
from restream_async.cli.options.nats import NatsCliOptions
from tests.helpers.examination import examine, said
from tests.helpers.raw_server import RawServer
from tests.helpers.samples import API_KEY, listed
from tests.helpers.varnish import closed_port


@pytest.mark.parametrize(
    ("base_url", "problem"),
    [
        (None, "the service is not configured: set RESTREAM_BASE_URL (or --base-url)"),
        ("api.example.com", "the base URL must have a scheme and a host, such as https://api."),
        ("https://exa_mple..com", "the base URL has a host that no DNS name or address can be"),
    ],
)
async def test_wrong_settings_end_it_and_lead_to_config(base_url: str | None, problem: str) -> None:
    results = await examine(base_url)

    assert [*results] == ["settings"]
    assert results["settings"].detail.startswith(problem)
    assert results["settings"].advice.endswith("shows every setting and where it comes from.")
    assert "config" in results["settings"].advice


async def test_a_ca_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    results = await examine(ca_file=tmp_path / "ca.pem")

    assert "cannot read certificate authorities from" in results["settings"].detail


async def test_the_proxy_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        results = await examine("https://api.example.com")

    assert results["proxy"].detail == f"http://127.0.0.1:{port} from HTTPS_PROXY"


async def test_wrong_nats_settings_are_a_check_of_their_own(tmp_path: Path) -> None:
    results = await examine(
        nats=NatsCliOptions(nats_creds=tmp_path / "a", nats_nkey=tmp_path / "b")
    )

    assert [*results][-1] == "NATS settings"
    assert "the NATS server is missing" in results["NATS settings"].detail


async def test_all_checks_together_end_within_a_minute() -> None:
    """Each reading of this clock is 20 s later, so no time is left for the later checks."""
    moments = iter(range(0, 100_000, 20))
    async with RawServer(get=listed()) as server:
        results = await examine(server.base_url, clock=Clock(now=lambda: float(next(moments))))

    assert said(results["list call"]) == "skipped | the earlier checks took 55 s"
    assert not [each for each in results.values() if API_KEY in said(each)]


async def test_a_check_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.cli.doctor.examination._CHECK_SECONDS", 0.02)

    async def hang(*_: object) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("restream_async.cli.doctor.connection_checks.resolve", hang)
    results = await examine()

    assert results["DNS"].detail == "no result within 0 s"
    assert results["DNS"].advice.startswith("Something on the way takes too long: try again")
