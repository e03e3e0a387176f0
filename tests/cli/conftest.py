from collections.abc import Iterator
from pathlib import Path

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import API_KEY, Cli, csv_of, sandbox_beside


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of the machine that runs the tests."""
    for name in ("BASE_URL", "PROJECT_ID", "API_KEY", "STREAM_KEY"):
        monkeypatch.delenv(f"RESTREAM_{name}", raising=False)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconcile without waiting for restreams that the service stores late."""
    monkeypatch.setattr("restream_async._bulk.reconciliation.LATE_COMMIT_WAIT", 0.0)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return Cli(monkeypatch, tmp_path)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Configure a service that does not exist."""
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


@pytest.fixture
def slow_sandbox(settings: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox that takes 0.2 s for each answer, and configure it."""
    with sandbox_beside(latency=0.2) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        yield sandbox


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return an input with `COUNT` restreams of the test's module, or with 3."""
    path = tmp_path / "input.csv"
    count: int = getattr(request.module, "COUNT", 3)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - pytest gives modules no type
    path.write_text(csv_of(count))
    return path


@pytest.fixture
def default_journal(file: Path) -> Path:
    return Path(f"{file}.journal")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the path of a journal for `--journal`."""
    return tmp_path / "run.db"
