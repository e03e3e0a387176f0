import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from restream_async._bulk.undo import Undone
from restream_async.cli import main
from restream_async.cli.commands.undo import _UndoProgress  # pyright: ignore[reportPrivateUsage]
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    Cli,
    CtrlC,
    Terminal,
    at_once,
    csv_of,
    interrupt_when,
    plain,
    pseudo_terminal,
    sandbox_beside,
)

# More than can be in flight at once.
COUNT = 100


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
    assert " s. 3 restreams stay, because the runs may not have created them (--incl" in end.err
    assert {each.id for each in sandbox.stored} == mine

    again = cli("undo", journal, "--yes")
    assert again.code == 0
    assert again.err == (
        "There is nothing to delete. 3 restreams stay, because the runs may not have created them "
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
    assert "was not deleted: the service is out" in end.err
    assert "To go on, run the same command again: it deletes only what is left." in end.err
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
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.0)
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        cli("bulk", file, "--journal", journal)
        sandbox.latency, sandbox.capacity, sandbox.queue = 0.1, 2, None

        with interrupt_when(lambda: sandbox.counts.deletes > 0):
            end = cli("undo", journal, "--yes")
        assert end.code == 130
        assert "Stopping: deletions in flight are finished first." in end.err
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
            (["undo", str(journal), "--yes"], "Stopping: deletions in flight are finished first."),
            (["toggle", "1"], "Error: interrupted: restream 1 may or may not have been switched"),
        ]

        for command, said in cases:
            with (
                pseudo_terminal(settings) as screen,
                interrupt_when(lambda: sandbox.counts.in_flight > 0),
            ):
                assert main(command) == 130
            assert plain(screen()).startswith(f"\n{said}"), "a terminal echoes ^C before it"


def test_a_second_ctrl_c_leaves_open_what_was_deleted_and_says_so(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path
) -> None:
    with sandbox_beside() as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        cli("bulk", file, "--journal", journal)
        sandbox.latency, sandbox.capacity, sandbox.queue = 2.0, 2, None

        with interrupt_when(lambda: sandbox.counts.in_flight > 1, cli.says_stopping):
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
        assert "To go on, run the same command again: it deletes only what is left." in end.err
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
    add = _UndoProgress.add

    def last(count: _UndoProgress, undone: Undone) -> None:
        add(count, undone)
        if count.gone == COUNT:
            signal.raise_signal(number)

    monkeypatch.setattr(_UndoProgress, "add", last)
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


def test_undo_tells_of_what_was_under_way_when_the_run_ended(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    cli("bulk", file, "--journal", journal)
    with closing(sqlite3.connect(journal)) as database, database:
        # The state that a kill during three requests leaves.
        database.execute(
            "UPDATE creation SET state = 'intended', restream_id = NULL WHERE fingerprint IN"
            " (SELECT fingerprint FROM creation LIMIT 3)"
        )
    end = cli("undo", journal, "--yes")
    assert end.code == 1
    assert (
        "3 more restreams may exist: the run ended before their answers came, so the journal has "
        "no ids of them. List their videos (restream-async list VIDEO_ID), and delete"
    ) in end.err
    assert "bulk" not in end.err, "it would create the rest of a file that nobody wants"
    assert len(sandbox.stored) == 3
    again = cli("undo", journal, "--yes")
    assert again.code == 1
    assert "There is nothing to delete." in again.err
    assert "Error: 3 restreams may exist: the run ended before" in again.err
    assert cli("bulk", file, "--journal", journal).code == 0


def test_after_ctrl_c_undo_deletes_what_was_created_and_advises_nothing(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path
) -> None:
    with sandbox_beside(latency=0.02, capacity=4, queue=None) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)

        with interrupt_when(lambda: sandbox.counts.stored > 2):
            assert cli("bulk", file, "--journal", journal, "--max-in-flight", 4).code == 130
        assert sandbox.stored
        end = cli("undo", journal, "--yes")
        assert end.code == 0
        assert "may exist" not in end.err
        assert "bulk" not in end.err
        assert not sandbox.stored
