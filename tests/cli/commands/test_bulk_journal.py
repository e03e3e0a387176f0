import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from restream_async._journal.database import Database
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    Cli,
    Ended,
    at_once,
    csv_of,
    interrupt_when,
    no_secrets,
    outcomes,
    pseudo_terminal,
    row,
    sandbox_beside,
    wait_until,
)

# More than can be in flight at once.
COUNT = 100


def origins(end: Ended) -> set[str]:
    return {each["origin"] for each in outcomes(end.out)}


def test_the_same_command_again_sends_nothing_again(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    first = cli("bulk", file, "--journal", journal)
    second = cli("bulk", file, "--journal", journal)
    assert (first.code, second.code) == (0, 0)
    assert origins(first) == {"posted"}
    assert origins(second) == {"journal"}
    assert {each["outcome"] for each in outcomes(second.out)} == {"existing"}
    assert f"100 %  {COUNT} of {COUNT}: {COUNT} existing, " in second.err
    assert sandbox.counts.posts == COUNT
    assert f"✓ {COUNT} restreams created by an earlier run, in " in second.err
    assert "To go on" not in first.err + second.err
    assert no_secrets(first.err, second.out, journal.read_bytes().decode("latin-1"))


def test_ctrl_c_says_how_to_resume_and_resuming_completes(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path
) -> None:
    with sandbox_beside(latency=0.05, capacity=4, queue=None) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)

        with interrupt_when(lambda: sandbox.counts.stored > 2):
            first = cli("bulk", file, "--journal", journal, "--max-in-flight", 4)
        assert first.code == 130
        told = [line["outcome"] for line in outcomes(first.out)]
        assert len(sandbox.stored) == told.count("created") < COUNT
        assert "To go on, run the same command again" in first.err
        assert f"To delete what was created: restream-async undo {journal}\n" in first.err
        sandbox.latency = 0.0
        second = cli("bulk", file, "--journal", journal)
        assert second.code == 0
        assert len(sandbox.stored) == COUNT
        assert not sandbox.duplicates()


def test_a_journal_that_cannot_be_used_is_a_sentence(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    journal.write_text("this is no journal, " * 100)
    end = cli("bulk", file, "--journal", journal)
    assert end.code == 2
    assert f"{journal} is not a journal: name another journal (--journal PATH)" in end.err
    assert "Traceback" not in end.err
    assert sandbox.counts.posts == 0


def test_a_journal_that_fails_on_the_way_stops_the_run_and_says_so(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A limit on the pages of SQLite simulates a full disk.
    prepare = Database.prepare

    def prepare_small(store: Database, *arguments: object) -> None:
        prepare(store, *arguments)  # type: ignore[arg-type]
        store._database.execute("PRAGMA max_page_count = 1")  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    with monkeypatch.context() as patch:
        patch.setattr(Database, "prepare", prepare_small)
        many = file.with_name("many.csv")
        many.write_text(csv_of(3000))
        end = cli("bulk", many, "--journal", journal)
    assert end.code == 1
    assert "is on a disk that is full: make room and run again, nothing is lost" in end.err
    assert "To go on, run the same command again" in end.err
    assert sandbox.counts.posts < 3000


def test_extra_copies_are_deleted_where_that_is_asked_for(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    monkeypatch.setattr("restream_async._bulk.reconciliation.LATE_COMMIT_WAIT", 0.3)
    faults = Faults(late=1.0, late_by=0.1, max_faults=1)
    with sandbox_beside(faults=faults) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        end = cli("bulk", file, "--repair")
        assert end.code == 0, end.err
        assert len(sandbox.stored) == COUNT
        assert not sandbox.duplicates()
    assert "existed more than once: id " in end.err
    assert "delete those that should not" not in end.err


def test_ensure_looks_before_it_creates(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    cli("bulk", file)
    end = cli("bulk", file, "--ensure", "--no-journal")
    assert end.code == 0
    assert origins(end) == {"existing"}
    assert sandbox.counts.posts == COUNT


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("RESTREAM_API_KEY", "another-key"),
        ("RESTREAM_PROJECT_ID", "another-project"),
        ("RESTREAM_BASE_URL", "http://127.0.0.1:9"),
    ],
)
def test_the_same_command_works_once_a_wrong_setting_is_corrected(
    cli: Cli, sandbox: Sandbox, settings: pytest.MonkeyPatch, file: Path, setting: str, wrong: str
) -> None:
    # More than the run reads before the wrong setting ends it.
    file.write_text(csv_of(500))
    command = ("bulk", file, "--output", file.with_name("outcomes"), "--patience", "0.2")
    with settings.context() as patch:
        patch.setenv(setting, wrong)
        first = cli(*command)
    assert first.code != 0
    assert "run the same command again: what is done is not sent again." in first.err
    end = cli(*command)
    assert end.code == 0, end.err
    assert len(sandbox.stored) == 500


def test_outcomes_of_a_resumed_run_hold_no_secret(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("bulk", file, "--journal", journal)
    with pseudo_terminal(monkeypatch) as seen:
        end = cli("bulk", file, "--journal", journal)
        assert no_secrets(end.out, end.err, seen())
    assert all(json.loads(line)["id"] for line in end.out.splitlines())
    assert len(sandbox.stored) == COUNT


def test_resuming_with_an_output_file_writes_it_anew(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, tmp_path: Path
) -> None:
    output = tmp_path / "outcomes.jsonl"
    command = ("bulk", file, "--journal", journal, "--output", output)
    assert cli(*command).code == 0
    assert cli(*command).code == 0
    assert len(output.read_text().splitlines()) == COUNT
    assert sandbox.counts.posts == COUNT


def test_a_second_run_leaves_the_output_of_a_running_one_alone(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "outcomes.jsonl"
    command = [sys.executable, "-m", "restream_async.cli", "bulk", str(file), "--force"]
    command += ["--output", str(output), "--journal"]
    with sandbox_beside(latency=0.3, capacity=4, queue=None) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        with subprocess.Popen([*command, str(tmp_path / "one.db")]) as first:  # noqa: S603 - our own
            wait_until(lambda: output.exists() and output.read_text())
            end = cli(*command[3:], tmp_path / "two.db")
            assert end.code == 2
            assert f"{output} is being written by another run: wait until" in end.err
            sandbox.latency = 0.0
        assert first.returncode == 0
        assert len(outcomes(output.read_text())) == len(sandbox.stored) == COUNT


def test_the_way_back_says_if_it_needs_the_options_of_a_connection(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    settings.delenv("RESTREAM_PROJECT_ID")
    end = cli("bulk", file, "--project-id", sandbox.project_id)
    assert "To delete what was created, with the same connection options: restream-as" in end.err


def test_a_file_that_is_sent_twice_is_created_once(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path
) -> None:
    first, second = cli("bulk", file), cli("bulk", file)
    assert (first.code, second.code) == (0, 0)
    assert len(sandbox.stored) == sandbox.counts.posts == COUNT
    assert (
        f"Journal: {default_journal}\nTo delete what was created: restream-async undo" in first.err
    )
    assert f"{COUNT} restreams created by an earlier run" in second.err
    assert cli("undo", default_journal, "--yes").code == 0
    assert not sandbox.stored


def test_without_a_journal_it_is_created_twice_and_that_is_asked_for(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path
) -> None:
    for _ in range(2):
        end = cli("bulk", file, "--no-journal")
        assert end.code == 0
        assert "ournal" not in end.err
    assert len(sandbox.stored) == 2 * COUNT
    assert not default_journal.exists()


def test_another_journal_can_be_named_but_not_together_with_none(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    assert cli("bulk", file, "--journal", other).code == 0
    assert other.exists()
    assert not default_journal.exists()
    end = cli("bulk", file, "--journal", other, "--no-journal")
    assert end.code == 2
    assert "--journal and --no-journal exclude each other" in end.err
    assert sandbox.counts.posts == COUNT


def test_standard_input_and_a_dry_run_have_no_journal(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert cli("bulk", file, "--dry-run").code == 0
    assert cli("bulk", "-", stdin=csv_of(1).encode()).code == 0
    assert not default_journal.exists()
    assert [each.name for each in file.parent.glob("*journal*")] == []
    assert cli("bulk", "-", "--journal", default_journal, stdin=csv_of(1).encode()).code == 0
    assert default_journal.exists()
    assert sandbox.counts.posts == 2


def test_a_journal_that_cannot_be_made_asks_for_another_place_or_none(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    # With `.journal` added, the name is too long for a file.
    file = tmp_path / ("x" * 250)
    file.write_text(csv_of(1))
    end = cli("bulk", file)
    assert end.code == 2
    assert "pass --journal PATH for another place, or --no-journal to keep none" in end.err
    assert sandbox.counts.posts == 0
    assert cli("bulk", file, "--no-journal").code == 0


def test_a_journal_of_another_project_says_how_to_name_another(
    cli: Cli, sandbox: Sandbox, file: Path, default_journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("bulk", file).code == 0
    monkeypatch.setenv("RESTREAM_PROJECT_ID", "p2")
    end = cli("bulk", file)
    assert end.code == 2
    assert f"{default_journal} belongs to the project id 'p1', not to 'p2'" in end.err
    assert end.err.endswith(
        "name another journal (--journal PATH), or keep none (--no-journal --ensure)\n"
    )
    assert sandbox.counts.posts == COUNT


@pytest.mark.parametrize("repair", [[], ["--repair"]])
def test_a_resumed_run_names_a_late_duplicate_by_its_line(
    cli: Cli,
    settings: pytest.MonkeyPatch,
    file: Path,
    repair: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._bulk.reconciliation.LATE_COMMIT_WAIT", 2.0)
    file.write_text(f"{HEADER}\n\n{row(1)}\n")
    with sandbox_beside(faults=Faults(late=1.0, late_by=2.0, max_faults=1)) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        environment = {**os.environ, "COVERAGE_PROCESS_START": ""}
        with subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "restream_async.cli", "bulk", str(file), *repair],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            # The sandbox has answered 503 with `Retry-After: 5`, and will store the restream later.
            wait_until(lambda: sandbox.counts.posts == 1)
            process.send_signal(signal.SIGKILL)
        assert not sandbox.stored
        end = cli("bulk", file, *repair)
        assert len(sandbox.stored) == (1 if repair else 2)
    assert end.code == (0 if repair else 1), end.err
    assert "Traceback" not in end.err
    said = "existed more than once: id 1 stays" if repair else "exists more than once: ids 1, 2"
    assert f"Error: line 3 of {file} (video v1) {said}" in end.err
