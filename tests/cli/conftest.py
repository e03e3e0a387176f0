from collections.abc import Iterator
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import API_KEY, Cli, sandbox_beside


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the machine that runs the tests has set."""
    for name in ("BASE_URL", "PROJECT_ID", "API_KEY", "STREAM_KEY"):
        monkeypatch.delenv(f"RESTREAM_{name}", raising=False)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for late commits at the end of a run."""
    monkeypatch.setattr("restream_async._bulk.reconciliation.GRACE", 0.0)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return Cli(monkeypatch, tmp_path)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Configure a service that nobody answers for."""
    monkeypatch.setenv("RESTREAM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("RESTREAM_PROJECT_ID", "p1")
    monkeypatch.setenv("RESTREAM_API_KEY", API_KEY)
    return monkeypatch


@pytest.fixture
def sandbox(settings: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox, and configure it."""
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        yield sandbox
