from pathlib import Path

import pytest

from tests.helpers.chromium import chromium, rows, shown
from tests.helpers.command_line import Cli


def test_the_report_of_a_demo_can_be_looked_at(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.commands.demo._QUICKEST", 0.0)
    monkeypatch.setattr("restream_async.cli.commands.demo._SLOWEST", 0.001)
    file = tmp_path / "demo.html"
    end = cli("demo", "--count", 100, "--report", file)
    assert end.code == 0
    assert end.err.endswith(f"Report: {file}\n")
    # Only now: playwright's event loop leaves no room for another one.
    with chromium() as browser, shown(browser, file) as page:
        assert page.locator("#result").inner_text().startswith("✓ 100 restreams created, in ")
        causes = {cause.strip(): int(failed) for cause, failed, _ in rows(page, "#causes")}
        assert causes["500 Internal Server Error"] > 0
        assert sum(causes.values()) > 10
        assert page.locator("svg:visible").count() == 3
