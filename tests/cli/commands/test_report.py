"""`--report` of `bulk`, `demo` and `apply`, from the option to the file."""

import html
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from restream_async.cli import main
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    Cli,
    at_once,
    csv_of,
    hide_modules,
    interrupt_when,
    no_secrets,
    plain,
    pseudo_terminal,
)

FAILING = Faults(before={Fault.INTERNAL_ERROR: 1})
LOSING = Faults(after={Fault.RESET: 1})


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "run.html"


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the charts, which take a second: tests/cli/html_report looks at them."""
    monkeypatch.setattr("vl_convert.vegalite_to_svg", empty_chart)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)


def empty_chart(_: object) -> str:
    return "<svg></svg>"


def agree(*_: object, **__: object) -> bool:
    return True


def text_of(report: Path) -> str:
    """Return the text of a report, in one line."""
    body = report.read_text().partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def done_over_time(report: Path) -> int:
    """Return the sum of the chart that shows how many were done at which time."""
    rows = report.read_text().partition('<table id="intervals">')[2].partition("</table>")[0]
    return sum(int(row[2]) for row in re.findall(r"<tr>" + r"<td.*?>(.*?)</td>" * 3, rows))


@pytest.mark.usefixtures("no_waits")
def test_bulk_reports_what_existed_what_failed_why_and_where(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path
) -> None:
    cli("bulk", file)
    sandbox.faults = FAILING
    file.write_text(csv_of(10))
    end = cli("bulk", file, "--no-journal", "--ensure", "--attempts", "3", "--report", report)
    assert end.code == 1
    assert f"Report: {report}\n" in end.err
    text = text_of(report)
    assert text.startswith(f"Bulk run of {file} ✗ 3 restreams existed already, 7 failed, in ")
    assert "asked for 10 created 0 existed before 3 failed 7" in text
    assert "500 Internal Server Error InternalServerError: lines 5 to 11 7" in text
    assert "Cause Failed Retries 500 Internal Server Error 21 14 " in text
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert no_secrets(report.read_text(), end.err)


def test_bulk_reports_what_was_created_and_what_was_confirmed(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path
) -> None:
    sandbox.faults = LOSING
    assert cli("bulk", file, "--report", report).code == 0
    text = text_of(report)
    assert "asked for 3 created 3 existed before 0 failed 0" in text
    assert "found to exist after a lost answer 3" in text
    assert "the connection was lost (Connection reset by peer) 3 0" in text
    assert done_over_time(report) == 3
    assert "Problems" not in text


@pytest.mark.usefixtures("no_waits")
def test_demo_names_what_failed_by_its_number(
    cli: Cli, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faults, "demo", lambda: FAILING)
    assert cli("demo", "--count", 5, "--report", report).code == 1
    assert "InternalServerError: items 1 to 5 5" in text_of(report)


def test_apply_reports_its_changes(cli: Cli, sandbox: Sandbox, file: Path, report: Path) -> None:
    end = cli("apply", file, "--yes", "--report", report)
    assert end.code == 0
    assert end.out.endswith(f"Report: {report}\n")
    text = text_of(report)
    assert text.startswith(f"Apply of {file} ✓ 3 created, in ")
    assert "Outcomes created 3 " in text
    file.write_text(csv_of(1).replace(",true", ",off"))
    cli("apply", file, "--yes", "--report", report, "--json")
    assert "Outcomes disabled 1 " in text_of(report), "it replaces an older report"
    assert len(sandbox.stored) == 3


@pytest.mark.usefixtures("no_waits")
def test_apply_reports_the_changes_that_failed(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path
) -> None:
    sandbox.faults = FAILING
    assert cli("apply", file, "--yes", "--attempts", "2", "--report", report).code == 1
    text = text_of(report)
    assert "Outcomes failed 3 " in text
    assert re.search("InternalServerError: create Title . of video v.; create Title . of ", text)
    assert no_secrets(report.read_text())


def test_after_ctrl_c_changes_that_were_not_sent_are_not_called_failed(
    cli: Cli, slow_sandbox: Sandbox, file: Path, report: Path
) -> None:
    file.write_text(csv_of(500))

    with interrupt_when(lambda: slow_sandbox.counts.posts == 8):
        end = cli("apply", file, "--yes", "--max-in-flight", "8", "--report", report)
    assert end.code == 130
    text = text_of(report)
    created = len(slow_sandbox.stored)
    assert f"not read or not sent: the run ended first {500 - created}" in text
    assert "NotSentError" not in text
    assert done_over_time(report) == created


def test_after_a_second_ctrl_c_the_report_says_that_changes_may_have_been_made(
    cli: Cli, slow_sandbox: Sandbox, file: Path, report: Path
) -> None:
    slow_sandbox.list_latency, slow_sandbox.latency = 0.0, 60

    with interrupt_when(lambda: slow_sandbox.counts.posts == 3, cli.says_stopping):
        assert cli("apply", file, "--yes", "--report", report).code == 130
    assert "changes that were in flight may or may not have been made" in text_of(report)


def test_after_ctrl_c_there_is_a_report(
    cli: Cli, slow_sandbox: Sandbox, file: Path, report: Path
) -> None:
    file.write_text(csv_of(500))

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 8):
        end = cli("bulk", file, "--max-in-flight", "8", "--report", report)
    assert end.code == 130
    created = len(slow_sandbox.stored)
    text = text_of(report)
    assert f"created {created} existed before 0 failed 0 not sent {500 - created}" in text
    assert f"lines {created + 2} to 501 {500 - created}" in text
    assert "NotSentError" not in text


def test_after_an_outage_that_did_not_end_there_is_a_report_with_a_band(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.1)
    file.write_text(csv_of(1000))
    sandbox.outage = True
    assert cli("bulk", file, "--patience", "0.3", "--report", report).code == 1
    text = text_of(report)
    assert "Outages: the circuit breaker was open from to duration" in text
    assert "no request to the service succeeds" in text
    assert "not sent: the run ended first" in text
    assert "OutageError" not in text


def test_a_resumed_run_shows_only_its_own_work_over_time(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path
) -> None:
    cli("bulk", file)
    file.write_text(csv_of(5))
    assert cli("bulk", file, "--report", report).code == 0
    assert "failed 0 created by an earlier run 3" in text_of(report)
    assert done_over_time(report) == 2
    assert len(sandbox.stored) == 5


def test_after_a_second_ctrl_c_what_is_in_doubt_is_not_called_unsent(
    cli: Cli, slow_sandbox: Sandbox, file: Path, report: Path
) -> None:
    slow_sandbox.latency = 60
    file.write_text(csv_of(500))

    with interrupt_when(lambda: slow_sandbox.counts.in_flight == 8, cli.says_stopping):
        end = cli("bulk", file, "--max-in-flight", "8", "--report", report)
    assert end.code == 130
    text = text_of(report)
    assert "in doubt 8 not sent 492" in text
    assert "not sent, or in doubt: the run was stopped at once lines 2 to 501 500" in text


def test_quietly_only_the_file_is_written(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path
) -> None:
    end = cli("bulk", file, "--report", report, "--quiet")
    assert end.err == ""
    assert "created 3" in text_of(report)
    assert len(sandbox.stored) == 3


@pytest.mark.parametrize("command", [["bulk"], ["apply", "--yes"]], ids=["bulk", "apply"])
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (Path.mkdir, "is no file: name another file for --report"),
        (Path.touch, "exists and is no report: name another file for --report"),
    ],
    ids=["folder", "other file"],
)
def test_what_cannot_be_a_report_is_refused_before_anything_is_sent(
    cli: Cli,
    sandbox: Sandbox,
    file: Path,
    report: Path,
    command: list[str],
    make: Callable[[Path], object],
    problem: str,
) -> None:
    make(report)
    end = cli(*command, file, "--report", report)
    assert end.code == 2
    assert f"Error: {report} {problem}" in end.err
    assert sandbox.counts.posts == sandbox.counts.lists == 0


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("-", "--report needs a file, not a standard stream"),
        ("missing/run.html", "make sure that its folder exists"),
        ("x" * 300, "file name too long"),
        ("input.csv/run.html", "not a directory"),
    ],
    ids=["stream", "no folder", "long", "in a file"],
)
def test_a_path_that_cannot_be_written_is_found_before_anything_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path, path: str, problem: str
) -> None:
    end = cli("bulk", file, "--report", path if path == "-" else file.parent / path)
    assert end.code == 2
    assert problem in end.err
    assert sandbox.counts.posts == 0


@pytest.mark.parametrize("command", [["bulk"], ["apply", "--yes"]], ids=["bulk", "apply"])
def test_the_report_needs_a_file_of_its_own(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path, command: list[str]
) -> None:
    end = cli(*command, file, "--journal", report, "--report", report)
    assert end.code == 2
    assert f"the report {report} and the journal {report} are the same file" in end.err
    assert sandbox.counts.posts == 0


def test_a_file_that_cannot_be_read_is_not_replaced(
    cli: Cli, sandbox: Sandbox, file: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.write_text("secret")
    real = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the real one
        if path == report:
            raise PermissionError
        return cast("Any", real)(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert f"{report} exists and is no report" in cli("bulk", file, "--report", report).err
    assert sandbox.counts.posts == 0


@pytest.mark.parametrize("missing", ["jinja2", "vl_convert"])
def test_without_the_extra_the_error_says_how_to_install_it(
    cli: Cli,
    sandbox: Sandbox,
    file: Path,
    report: Path,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide_modules(monkeypatch, missing)
    end = cli("bulk", file, "--report", report)
    assert end.code == 2
    assert f"this needs {missing}, which is not installed: python -m pip install" in end.err
    assert "restream-async[cli,report]" in end.err
    assert sandbox.counts.posts == 0


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    "command",
    [["bulk", "input.csv"], ["apply", "--yes", "input.csv"], ["demo", "--count", "3"]],
    ids=["bulk", "apply", "demo"],
)
def test_a_report_that_cannot_be_written_at_the_end_is_told(
    cli: Cli, file: Path, report: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.chdir(file.parent)
    end = cli(*command, "--report", report)
    assert end.code == 1
    assert f"Error: the report {report} could not be written: no space left on device" in end.err
    assert f"Report: {report}" not in end.err + end.out
    assert "3 created" in end.out or "3 restreams created" in end.err
    assert not list(report.parent.glob(".report-*")), "nothing is left over"


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("command", "messages"),
    [
        (["bulk", "input.csv"], ["✓ 3 restreams created", "To delete what was created: "]),
        (["apply", "--yes", "input.csv"], ["✓ 3 created"]),
        (["demo", "--count", "3"], ["✓ 3 restreams created", "3  exactly once"]),
    ],
    ids=["bulk", "apply", "demo"],
)
def test_an_error_while_the_report_is_drawn_loses_no_message(
    cli: Cli,
    file: Path,
    report: Path,
    command: list[str],
    messages: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("drawn wrongly")

    monkeypatch.setattr("vl_convert.vegalite_to_svg", fail)
    monkeypatch.chdir(file.parent)
    with pytest.raises(RuntimeError, match="drawn wrongly"):
        cli(*command, "--report", report)
    said = cli.out_file.read_text() + cli.err_file.read_text()
    assert [each for each in messages if each not in said] == []


def test_a_link_stays_a_link(cli: Cli, sandbox: Sandbox, file: Path, report: Path) -> None:
    real = report.with_name("real.html")
    report.symlink_to(real)
    cli("bulk", file, "--report", report)
    assert report.is_symlink()
    assert "created 3" in text_of(real)
    assert len(sandbox.stored) == 3


def test_what_was_read_for_the_plan_is_not_in_the_report_of_apply(
    sandbox: Sandbox, file: Path, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.cli.commands.apply.confirmed", agree)
    with pseudo_terminal(monkeypatch) as seen:
        assert main(["apply", str(file), "--report", str(report)]) == 0
    # The terminal may break the line before the path.
    assert f"Report: {report}" in " ".join(plain(seen()).split())
    sent = sandbox.counts.posts + sandbox.counts.lists
    recorded = re.search(r"Half of (\d+) requests", text_of(report))
    assert recorded is not None
    assert int(recorded[1]) == sent - 3
