import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from restream_async._bulk.undo import Undone
from restream_async._journal.database import Database
from restream_async.cli import main
from restream_async.cli.commands.undo import _Count  # pyright: ignore[reportPrivateUsage]
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    Cli,
    CtrlC,
    Ended,
    Terminal,
    at_once,
    csv_of,
    meanwhile,
    no_secrets,
    outcomes,
    plain,
    pseudo_terminal,
    sandbox_beside,
    wait_until,
)

# More than are ever in flight at once.
COUNT = 100


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "input.csv"
    path.write_text(csv_of(COUNT))
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


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

        def interrupt() -> None:
            wait_until(lambda: sandbox.counts.stored > 2)
            os.kill(os.getpid(), signal.SIGINT)

        with meanwhile(interrupt):
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
    # An SQLite that has no more room for pages is a disk that is full.
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
    monkeypatch.setattr("restream_async._bulk.reconciliation.GRACE", 0.3)
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
    # More than the run reads before it ends.
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


def test_undo_deletes_what_the_run_created_and_nothing_else(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, tmp_path: Path
) -> None:
    before = tmp_path / "before.csv"
    before.write_text(csv_of(3))
    cli("bulk", before)
    mine = {each.id for each in sandbox.stored}
    cli("bulk", file, "--journal", journal, "--ensure")
    end = cli("undo", journal, "--yes")
    assert end.code == 0
    assert f"{COUNT - 3} of {COUNT - 3} restreams deleted, in " in end.err
    assert " s. 3 restreams stay, as the runs may not have created them (--incl" in end.err
    assert {each.id for each in sandbox.stored} == mine

    again = cli("undo", journal, "--yes")
    assert again.code == 0
    assert again.err == (
        "There is nothing to delete. 3 restreams stay, as the runs may not have created them "
        "(--include-found deletes them too).\n"
    )

    found_too = cli("undo", journal, "--yes", "--include-found")
    assert found_too.code == 0
    assert not sandbox.stored


def test_undo_asks_first(cli: Cli, sandbox: Sandbox, file: Path, journal: Path) -> None:
    cli("bulk", file, "--journal", journal)
    end = cli("undo", journal)
    assert end.code == 2
    assert "pass --yes" in end.err
    assert len(sandbox.stored) == COUNT


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", COUNT), ("", COUNT)])
def test_undo_on_a_terminal_takes_yes_for_an_answer_and_no_is_no_error(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, answer: str, left: int
) -> None:
    cli("bulk", file, "--journal", journal)
    end = cli("undo", journal, stdin=Terminal(f"{answer}\n"))
    assert end.code == 0
    assert end.err.startswith(
        f"Delete {COUNT} restreams that the runs of {journal} created? [y/N] "
    )
    assert ("Nothing was deleted." in end.err) == bool(left)
    assert "Error" not in end.err
    assert len(sandbox.stored) == left


def test_ctrl_c_answers_the_question_of_undo_with_no(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    cli("bulk", file, "--journal", journal)
    end = cli("undo", journal, stdin=CtrlC("y\n"))
    assert end.code == 130
    assert end.err.endswith("[y/N] \nError: interrupted: nothing was deleted\n")
    assert len(sandbox.stored) == COUNT


def test_undo_that_fails_in_part_says_which_and_can_go_on(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    monkeypatch.setattr("restream_async._load.circuit_breaker._SILENCE", 0.3)
    cli("bulk", file, "--journal", journal)
    sandbox.outage = True
    end = cli("undo", journal, "--yes", "--patience", "0.2")
    assert end.code == 1
    assert f"0 of {COUNT} restreams deleted, {COUNT} failed" in end.err
    assert end.err.count("was not deleted: ") == 20, "no more than a person reads"
    assert "was not deleted: nothing succeeds at the service" in end.err
    assert "To go on, run the same command again: what is gone is noted." in end.err
    sandbox.outage = False
    assert cli("undo", journal, "--yes").code == 0
    assert not sandbox.stored


def test_undo_whose_answers_get_lost_still_ends_well(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    cli("bulk", file, "--journal", journal)
    sandbox.faults = Faults(other={Fault.RESET: 0.5}, max_faults=2)
    assert cli("undo", journal, "--yes").code == 0
    assert not sandbox.stored


def test_undo_can_be_interrupted_and_goes_on(
    cli: Cli,
    settings: pytest.MonkeyPatch,
    file: Path,
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.cli.output.console.LOG_EVERY", 0.0)
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        cli("bulk", file, "--journal", journal)
        sandbox.latency, sandbox.capacity, sandbox.queue = 0.1, 2, None

        def interrupt() -> None:
            wait_until(lambda: sandbox.counts.deletes > 0)
            os.kill(os.getpid(), signal.SIGINT)

        with meanwhile(interrupt):
            end = cli("undo", journal, "--yes")
        assert end.code == 130
        assert "Stopping: what is under way is finished first." in end.err
        left = len(sandbox.stored)
        assert 0 < left < COUNT
        assert f"{COUNT - left} of {COUNT} restreams deleted, {left} not sent, in " in end.err
        assert "was not deleted" not in end.err
        assert re.search(rf"^\d\d:\d\d:\d\d  1 of {COUNT} deleted$", end.err, re.MULTILINE)
        sandbox.latency = 0.0
        assert cli("undo", journal, "--yes").code == 0
        assert not sandbox.stored


def test_on_a_terminal_what_follows_ctrl_c_begins_a_line(
    settings: pytest.MonkeyPatch, file: Path, journal: Path, cli: Cli
) -> None:
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        cli("bulk", file, "--journal", journal)
        sandbox.latency = 0.3
        cases: list[tuple[list[str], str]] = [
            (["undo", str(journal), "--yes"], "Stopping: what is under way is finished first."),
            (["toggle", "1"], "Error: interrupted: restream 1 may or may not have been switched"),
        ]

        def interrupt() -> None:
            wait_until(lambda: sandbox.counts.in_flight > 0)
            os.kill(os.getpid(), signal.SIGINT)

        for command, said in cases:
            with pseudo_terminal(settings) as screen, meanwhile(interrupt):
                assert main(command) == 130
            assert plain(screen()).startswith(f"\n{said}"), "a terminal echoes ^C before it"


def test_a_second_ctrl_c_leaves_open_what_was_deleted_and_says_so(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path
) -> None:
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        cli("bulk", file, "--journal", journal)
        sandbox.latency, sandbox.capacity, sandbox.queue = 2.0, 2, None

        def interrupt() -> None:
            wait_until(lambda: sandbox.counts.in_flight > 1)
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(lambda: "Stopping" in cli.err_file.read_text())
            os.kill(os.getpid(), signal.SIGINT)

        with meanwhile(interrupt):
            end = cli("undo", journal, "--yes")
        assert end.code == 130
        assert "was not deleted" not in end.err
        assert "failed" not in end.err
        assert "may exist" not in end.err
        found = re.search(
            rf"^0 of {COUNT} restreams deleted, (\d+) in doubt, (\d+) not sent, in ",
            end.err,
            re.MULTILINE,
        )
        assert found
        assert int(found[1]) + int(found[2]) == COUNT
        told = (
            r"^Error: restream \d+ may or may not have been deleted: its run ended before the "
            r"answer came$"
        )
        assert 1 < len(re.findall(told, end.err, re.MULTILINE)) <= 20
        assert "To go on, run the same command again: what is gone is noted." in end.err
        sandbox.latency = 0.0
        assert cli("undo", journal, "--yes").code == 0
        assert not sandbox.stored


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_undo_that_was_told_to_end_says_so_also_where_nothing_was_left(
    cli: Cli,
    sandbox: Sandbox,
    file: Path,
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
) -> None:
    cli("bulk", file, "--journal", journal)
    add = _Count.add

    def last(count: _Count, undone: Undone) -> None:
        add(count, undone)
        if count.gone == COUNT:
            signal.raise_signal(number)

    monkeypatch.setattr(_Count, "add", last)
    end = cli("undo", journal, "--yes")
    assert end.code == code
    assert f"{COUNT} of {COUNT} restreams deleted, in " in end.err
    assert not sandbox.stored


def test_undo_without_a_journal_is_a_sentence(cli: Cli, sandbox: Sandbox, journal: Path) -> None:
    end = cli("undo", journal, "--yes")
    assert end.code == 2
    assert "there is no journal" in end.err
    assert sandbox.counts.deletes == 0


def test_undo_of_what_is_no_journal_is_a_sentence(
    cli: Cli, sandbox: Sandbox, journal: Path
) -> None:
    journal.write_text("this is no journal, " * 100)
    end = cli("undo", journal, "--yes")
    assert end.code == 2
    assert end.err == f"Error: {journal} is not a journal: name another journal\n"
    assert sandbox.counts.deletes == 0


def test_undo_of_the_input_names_its_journal(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    cli("bulk", file)
    end = cli("undo", file, "--yes")
    assert end.code == 2
    assert end.err == (
        f"Error: {file} is not a journal: name another journal; did you mean {file}.journal?\n"
    )
    assert sandbox.counts.deletes == 0


@pytest.mark.parametrize("command", [["bulk", "input.csv"], ["undo", "input.csv.journal", "--yes"]])
def test_a_damaged_journal_says_what_to_do_in_words_of_the_command_line(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(file.parent)
    cli("bulk", file)
    os.truncate(f"{file}.journal", 100)
    end = cli(*command)
    assert end.code == 2
    assert "is damaged: move it away and run again with --ensure, which checks" in end.err
    assert sandbox.counts.posts == COUNT


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
            assert f"{output} is being written by another run: wait for its end" in end.err
            sandbox.latency = 0.0
        assert first.returncode == 0
        assert len(outcomes(output.read_text())) == len(sandbox.stored) == COUNT


def test_undo_tells_of_what_was_under_way_when_the_run_ended(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    cli("bulk", file, "--journal", journal)
    with closing(sqlite3.connect(journal)) as database, database:
        # As a kill in the midst of three requests leaves it.
        database.execute(
            "UPDATE creation SET state = 'intended', restream_id = NULL WHERE fingerprint IN"
            " (SELECT fingerprint FROM creation LIMIT 3)"
        )
    end = cli("undo", journal, "--yes")
    assert end.code == 1
    assert (
        "3 more restreams may exist: the run was cut off before it had an answer, and the journal "
        "knows no ids of them. Look at their videos (restream-async list VIDEO_ID), and delete"
    ) in end.err
    assert "bulk" not in end.err, "it would create the rest of a file that nobody wants"
    assert len(sandbox.stored) == 3
    again = cli("undo", journal, "--yes")
    assert again.code == 1
    assert "There is nothing to delete." in again.err
    assert "Error: 3 restreams may exist: the run was cut off" in again.err
    assert cli("bulk", file, "--journal", journal).code == 0


def test_after_ctrl_c_undo_deletes_what_was_created_and_advises_nothing(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path
) -> None:
    with sandbox_beside(latency=0.02, capacity=4, queue=None) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)

        def interrupt() -> None:
            wait_until(lambda: sandbox.counts.stored > 2)
            os.kill(os.getpid(), signal.SIGINT)

        with meanwhile(interrupt):
            assert cli("bulk", file, "--journal", journal, "--max-in-flight", 4).code == 130
        assert sandbox.stored
        end = cli("undo", journal, "--yes")
        assert end.code == 0
        assert "may exist" not in end.err
        assert "bulk" not in end.err
        assert not sandbox.stored


def test_the_way_back_says_if_it_needs_the_options_of_a_connection(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    settings.delenv("RESTREAM_PROJECT_ID")
    end = cli("bulk", file, "--project-id", sandbox.project_id)
    assert "To delete what was created, with the same connection options: restream-as" in end.err
