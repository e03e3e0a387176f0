"""`bulk --log-format`: standard error as a log, standard output as ever."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from restream_async.cli.commands.bulk_run import BulkCommandRun
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import STREAM_KEY, Cli, at_once, no_secrets, outcomes

COUNT = 12


def records(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def test_each_line_is_json_and_progress_has_its_numbers_as_fields(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.output.progress_display.LogDisplay.every", 0.01)
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1.0}, max_faults=1, retry_after=None)
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)

    end = cli("bulk", file, "--no-journal", "--log-format", "json")

    assert end.code == 0
    assert [each["line"] for each in outcomes(end.out)] == list(range(2, COUNT + 2))
    said = records(end.err)
    assert all(each.keys() >= {"time", "level", "logger", "message"} for each in said)
    progress = [each for each in said if each["logger"] == "restream_async.cli.progress"]
    assert len(progress) > 1
    assert progress[0]["restream_limit"] == 64
    last = progress[-1]
    assert last["message"].startswith("100 %  12 of 12: 12 created, ")
    assert {name: last[f"restream_{name}"] for name in ("total", "done", "created", "failed")} == {
        "total": COUNT,
        "done": COUNT,
        "created": COUNT,
        "failed": 0,
    }
    assert last["restream_rate"] > 0
    assert last["restream_eta"] is None
    assert last["restream_retries"] == COUNT
    retried = [each for each in said if "restream_attempt" in each]
    assert len(retried) == COUNT
    assert {(each["level"], each["restream_status"]) for each in retried} == {("INFO", 500)}
    assert any(each["message"].startswith("✓ 12 restreams created") for each in said)
    assert no_secrets(end.err)


def test_each_line_of_text_has_the_time(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    del sandbox
    end = cli("bulk", file, "--no-journal", "--log-format", "text")

    assert end.code == 0
    times = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO \S"
    assert all(re.match(times, line) for line in end.err.splitlines())
    assert "INFO 100 %  12 of 12: 12 created" in end.err


def test_quiet_leaves_progress_and_summary_out(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    del sandbox
    end = cli("bulk", file, "--no-journal", "--log-format", "json", "--quiet")

    assert (end.code, end.err) == (0, "")


def test_an_error_is_a_record_too(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    del sandbox
    end = cli("bulk", tmp_path / "none.csv", "--log-format", "json")

    assert end.code == 2
    [record] = records(end.err)
    assert (record["level"], record["logger"]) == ("ERROR", "restream_async.cli")
    assert "none.csv" in record["message"]


def test_a_bug_is_a_record_without_secrets(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    async def fail(_: object) -> int:
        raise ValueError(STREAM_KEY)

    monkeypatch.setattr(BulkCommandRun, "run", fail)

    end = cli("bulk", file, "--no-journal", "--log-format", "json")

    assert end.code == 1
    last = records(end.err)[-1]
    assert (last["level"], last["message"]) == ("CRITICAL", "this is a bug")
    assert last["traceback"].endswith("ValueError")
    assert no_secrets(end.err)


def test_without_the_option_a_bug_is_raised(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    async def fail(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(BulkCommandRun, "run", fail)

    with pytest.raises(ZeroDivisionError):
        cli("bulk", file, "--no-journal")
