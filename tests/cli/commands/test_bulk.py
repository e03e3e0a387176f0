import json
import os
import re
import stat
from pathlib import Path

import pytest

from restream_async.cli import main
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    STREAM_KEY,
    STREAM_URL,
    Cli,
    csv_of,
    interrupt_when,
    meanwhile,
    no_secrets,
    outcomes,
    plain,
    pseudo_terminal,
    row,
    wait_until,
)

FULL = Path("/dev/full")


def test_every_line_becomes_a_restream_and_every_outcome_a_line(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    end = cli("bulk", file)
    assert end.code == 0
    assert [(each["line"], each["videoId"], each["outcome"]) for each in outcomes(end.out)] == [
        (2, "v1", "created"),
        (3, "v2", "created"),
        (4, "v3", "created"),
    ]
    ids = {each["videoId"]: each["id"] for each in outcomes(end.out)}
    assert ids == {each.video_id: each.id for each in sandbox.stored}
    assert {each.stream_key for each in sandbox.stored} == {f"{STREAM_KEY}-{n}" for n in (1, 2, 3)}
    assert "✓ 3 restreams created, in " in end.err
    assert no_secrets(end.out, end.err)


@pytest.mark.parametrize("journal", [[], ["--no-journal"]], ids=["with a journal", "alone"])
@pytest.mark.parametrize(
    ("options", "origins"),
    [
        ([], ["posted", "existing", "posted"]),
        (["--repeats", "existing"], ["posted", "existing", "posted"]),
        (["--repeats", "create"], ["posted", "posted", "posted"]),
    ],
)
@pytest.mark.parametrize("in_flight", [1, 64])
def test_the_same_restream_on_two_lines_is_one_unless_asked_for(
    cli: Cli,
    sandbox: Sandbox,
    file: Path,
    journal: list[str],
    options: list[str],
    origins: list[str],
    in_flight: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(file.parent)
    renamed = row(1).replace("Title 1", "Another title")
    file.write_text("\n".join([HEADER, row(1), renamed, row(2)]))
    end = cli("bulk", file, *journal, *options, "--max-in-flight", in_flight)
    assert end.code == 0
    # The two are sent at the same time, so either may be the first.
    assert sorted(each["origin"] for each in outcomes(end.out)) == sorted(origins)
    assert len(sandbox.stored) == origins.count("posted")
    assert ("1 existed already" in end.err) is ("existing" in origins)


def test_json_lines_are_taken_too(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fields = {
        "videoId": "v1",
        "title": "T",
        "streamUrl": STREAM_URL,
        "streamKey": "k-123",
        "status": False,
    }
    path = tmp_path / "input.jsonl"
    path.write_text(f"{json.dumps(fields)}\n")
    assert cli("bulk", path).code == 0
    assert sandbox.stored[0].status is False


@pytest.mark.parametrize("options", [[], ["--format", "csv"]])
def test_standard_input_is_taken_too(cli: Cli, sandbox: Sandbox, options: list[str]) -> None:
    end = cli("bulk", "-", *options, stdin=csv_of(2).encode())
    assert end.code == 0
    assert len(sandbox.stored) == 2


def test_the_format_can_be_forced(cli: Cli, settings: object, file: Path) -> None:
    del settings
    end = cli("bulk", file, "--format", "jsonl")
    assert end.code == 2
    assert f"{file}:1: is not JSON at position 0" in end.err


def test_a_dry_run_needs_no_service_and_says_what_would_be_sent(cli: Cli, file: Path) -> None:
    end = cli("bulk", file, "--dry-run")
    assert end.code == 0
    assert "3 restreams for 3 live videos. All lines are good; nothing was sent" in end.err
    assert not end.out


def test_a_dry_run_finds_bad_lines_too(cli: Cli, file: Path) -> None:
    file.write_text(f"{HEADER}\nx\n")
    assert cli("bulk", file, "--dry-run").code == 2


def test_what_fails_is_in_the_outcomes_and_in_the_summary(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1})
    end = cli("bulk", file, "--attempts", "1")
    assert end.code == 1
    assert {each["outcome"] for each in outcomes(end.out)} == {"failed"}
    assert {each["errorType"] for each in outcomes(end.out)} == {"InternalServerError"}
    assert {each["httpStatus"] for each in outcomes(end.out)} == {500}
    assert "✗ 3 restreams failed, in " in end.err
    assert "3  InternalServerError, such as: 500 Internal Server Error" in end.err
    assert no_secrets(end.out, end.err)


def test_a_wrong_key_fails_every_restream(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTREAM_API_KEY", "another-key")
    end = cli("bulk", file)
    assert end.code == 1
    assert "3  UnauthorizedError, such as: 401" in end.err
    assert not sandbox.stored


def test_lost_answers_are_looked_for(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    sandbox.faults = Faults(after={Fault.INTERNAL_ERROR: 1}, max_faults=1)
    end = cli("bulk", file, "--in-doubt", "raise", "--deadline", "20")
    assert end.code == 0
    assert {each["origin"] for each in outcomes(end.out)} == {"confirmed"}
    assert "3  found to exist after a lost answer" in end.err
    assert len(sandbox.stored) == 3


def test_extra_copies_are_reported_with_their_line(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    file.write_text(csv_of(1))
    assert cli("bulk", file).code == 0
    sandbox.faults = Faults(after={Fault.INTERNAL_ERROR: 1}, max_faults=1)
    end = cli("bulk", file, "--no-journal")
    assert end.code == 1
    assert f"Error: line 2 of {file} (video v1) exists more than once: ids 1, 2\n" in end.err
    assert "To go on" not in end.err, "all exist"


def test_options_reach_the_client(cli: Cli, slow_sandbox: Sandbox, file: Path) -> None:
    slow_sandbox.latency = 0.02
    file.write_text(csv_of(20))
    assert cli("bulk", file, "--max-in-flight", "2").code == 0
    assert slow_sandbox.counts.max_in_flight == 2
    slow_sandbox.latency = 5
    file.write_text(csv_of(1))
    # On a busy machine, it may take 10 ms to connect, and an outage would be waited for.
    end = cli(
        "bulk", file, "--timeout", "0.2", "--attempts", "1", "--no-journal", "--patience", "9"
    )
    assert "AttemptTimeoutError" in end.out or "OutcomeUnknownError" in end.out


@pytest.mark.parametrize(
    "option", [["--max-in-flight", "0"], ["--timeout", "0"], ["--in-doubt", "guess"]]
)
def test_wrong_options_are_refused(cli: Cli, file: Path, option: list[str]) -> None:
    assert cli("bulk", file, *option).code == 2


def test_the_configuration_is_checked_before_the_input(cli: Cli, tmp_path: Path) -> None:
    end = cli("bulk", tmp_path / "nothing.csv")
    assert end.code == 2
    assert "the service is not configured" in end.err


def test_outcomes_go_to_a_file_of_their_own(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    del sandbox
    path = tmp_path / "out.jsonl"
    end = cli("bulk", file, "--output", path)
    assert (end.code, end.out) == (0, "")
    assert len(outcomes(path.read_text())) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_output_that_is_there_is_kept_unless_forced(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("precious")
    end = cli("bulk", file, "--output", path)
    assert end.code == 2
    assert "exists already" in end.err
    assert path.read_text() == "precious"
    assert sandbox.counts.posts == 0
    assert cli("bulk", file, "--output", path, "--force").code == 0
    assert len(outcomes(path.read_text())) == 3


def test_the_output_is_checked_before_the_input_is_read(
    cli: Cli, settings: object, file: Path, tmp_path: Path
) -> None:
    del settings
    other = tmp_path / "other.csv"
    other.write_text("no header")
    end = cli("bulk", other, "--output", file)
    assert f"{file} exists already" in end.err


def test_a_bad_input_leaves_the_output_as_it_is(
    cli: Cli, settings: object, file: Path, tmp_path: Path
) -> None:
    del settings
    file.write_text(f"{HEADER}\nx\n")
    path = tmp_path / "out.jsonl"
    assert cli("bulk", file, "--output", path).code == 2
    assert not path.exists()
    path.write_text("precious")
    assert cli("bulk", file, "--output", path, "--force").code == 2
    assert path.read_text() == "precious"


def test_the_input_is_never_taken_for_the_output(cli: Cli, settings: object, file: Path) -> None:
    del settings
    end = cli("bulk", file, "--output", file, "--force")
    assert end.code == 2
    assert f"the input {file} and the output {file} are the same file, so nothing was" in end.err
    assert file.read_text() == csv_of(3)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("stream", [False, True], ids=["a file", "standard output"])
@pytest.mark.parametrize("count", [3, 5000])
def test_a_full_disk_ends_the_run_and_says_so(
    cli: Cli, sandbox: Sandbox, file: Path, *, stream: bool, count: int
) -> None:
    file.write_text(csv_of(count))
    if stream:
        cli.out_file = FULL
    end = cli("bulk", file, *([] if stream else ["--output", FULL]))
    assert end.code == 1
    name = "standard output" if stream else "/dev/full"
    stopped = ", so the run was stopped" if count > len(sandbox.stored) else ""
    assert f"could not be written to {name}: no space left on device{stopped}\n" in end.err
    assert "To go on, run the same command again" in end.err
    assert len(sandbox.stored) < 5000


def test_quiet_means_only_errors(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    end = cli("bulk", file, "--quiet")
    assert (end.code, end.err) == (0, "")
    assert len(outcomes(end.out)) == 3
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1})
    assert cli("bulk", file, "-q", "--attempts", "1").err == ""


def test_a_reader_that_hangs_does_not_hold_up_a_second_signal(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    file.write_text(csv_of(5000))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    # The pipe and the queue hold fewer outcomes than are created by then.
    with interrupt_when(lambda: sandbox.counts.posts > 1500, cli.says_stopping):
        end = cli("bulk", file, "--output", pipe)
    os.close(reading)
    assert end.code == 130
    assert "not sent" in end.err


def test_a_reader_that_goes_away_stops_the_run(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    file.write_text(csv_of(5000))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def go_away() -> None:
        wait_until(lambda: sandbox.counts.posts > 1)
        os.close(reading)

    with meanwhile(go_away):
        end = cli("bulk", file, "--output", pipe)
    assert end.code == 1
    assert f"could not be written to {pipe}: broken pipe" in end.err
    assert "not sent" in end.err
    assert len(sandbox.stored) < 5000


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_output_dash_writes_all_outcomes_to_standard_output(
    cli: Cli, sandbox: Sandbox, file: Path, name: str
) -> None:
    end = cli("bulk", file, "--output", name)
    assert end.code == 0
    assert len(outcomes(end.out)) == len(sandbox.stored) == 3
    assert not Path("-").exists()


def test_a_terminal_is_not_flooded_with_outcomes_unless_requested(
    file: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(csv_of(100))
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file)]) == 0
    shown = screen()
    assert '"outcome"' not in shown
    assert "✓ 100 restreams created, in " in plain(shown)
    assert "--output" not in shown
    assert len(sandbox.stored) == 100


def test_on_a_terminal_the_first_failures_are_shown_and_the_rest_counted(
    file: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    file.write_text(csv_of(50))
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 1})
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file), "--attempts", "1"]) == 1
    shown = plain(screen())
    # They fail at the same time, so any of them can be the first.
    item = rf"line (\d+) of {re.escape(str(file))} \(video v(\d+), Title \2\)"
    said = f"{item} was not created: 500 Internal Serv"
    failed = [(int(line), int(number)) for line, number in re.findall(said, shown)]
    assert len(failed) == 20
    assert all(line == number + 1 for line, number in failed)
    assert "POST" not in shown[: shown.index("more failures")], "a line each"
    assert shown.count(" was not created: ") == 20
    assert "… and 30 more failures. To have every outcome in a file, add --output PATH." in shown
    assert "✗ 50 restreams failed, in " in shown
    assert no_secrets(shown)


def test_what_differs_leads_a_person_to_the_outcomes(
    file: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["bulk", str(file), "--quiet"])
    file.write_text(file.read_text().replace("Title 1", "Another"))
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file)]) == 0
    assert "1  with another title or status than requested" in plain(screen())
    assert "To have every outcome in a file, add --output PATH." in plain(screen())
    assert sandbox.counts.posts == 3


def test_on_one_terminal_all_outcomes_that_were_asked_for_stand_above_the_progress(
    file: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file), "--output", "-"]) == 0
    shown = screen()
    assert shown.count('"outcome": "created"') == 3
    assert shown.rindex('"outcome"') < shown.rindex("3 of 3")
    assert "\x1b[?25h" in shown, "the cursor is back"
    assert len(sandbox.stored) == 3
    assert no_secrets(shown)
