import json
import os
from pathlib import Path

import pytest

from restream_async.cli import main
from restream_async.cli.commands.wanted_run import WantedInput
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    HEADER,
    STREAM_KEY,
    Cli,
    CtrlC,
    Terminal,
    csv_of,
    interrupt_when,
    no_secrets,
    plain,
    pseudo_terminal,
    row,
)

HOST = "live.example.com"
AGAIN = "To go on, run the same command again: what is done is not done again.\n"


@pytest.fixture
def applied(cli: Cli, sandbox: Sandbox, file: Path) -> Path:
    """Apply an input, and return it."""
    assert cli("apply", file, "--yes", "--max-in-flight", "1").code == 0
    assert len(sandbox.stored) == 3
    return file


def changes_sent(sandbox: Sandbox) -> int:
    counts = sandbox.counts
    return counts.posts + counts.toggles + counts.deletes


def test_apply_creates_what_is_missing_and_reports_it(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    end = cli("apply", file, "--yes", "--max-in-flight", "1")
    assert end.code == 0
    assert end.out.startswith(
        f"v1\n  + created   Title 1  {HOST}  id 1\n"
        f"v2\n  + created   Title 2  {HOST}  id 2\n"
        f"v3\n  + created   Title 3  {HOST}  id 3\n"
        "✓ 3 created, in "
    )
    assert end.err == ""
    assert len(sandbox.stored) == 3
    assert sandbox.counts.lists <= 2 * 3
    assert no_secrets(end.out)


def test_applied_twice_the_second_says_that_there_was_nothing_to_do(
    cli: Cli, applied: Path, sandbox: Sandbox
) -> None:
    sent = changes_sent(sandbox)
    end = cli("apply", applied, "--yes", "--rotate", "--prune")
    assert end.code == 0
    assert end.out.startswith("✓ There was nothing to do: 3 unchanged, in ")
    assert changes_sent(sandbox) == sent


def test_everything_that_apply_can_do(cli: Cli, applied: Path, sandbox: Sandbox) -> None:
    applied.write_text(
        "\n".join(
            [
                HEADER,
                row(1).replace(f"{STREAM_KEY}-1", "new-key"),
                row(2, status="off"),
                row(3).replace("Title 3,", "Other,").replace(f"{STREAM_KEY}-3", "other-key"),
            ]
        )
    )
    end = cli("apply", applied, "--yes", "--rotate", "--prune")
    assert end.code == 0
    for line in ("± rotated   Title 1", "~ disabled  Title 2", "+ created   Other", "- deleted "):
        assert line in end.out
    assert "✓ 1 created, 1 disabled, 1 rotated, 1 deleted, in " in end.out
    has = {(each.title, each.stream_key, each.status) for each in sandbox.stored}
    assert has == {
        ("Title 1", "new-key", True),
        ("Title 2", f"{STREAM_KEY}-2", False),
        ("Other", "other-key", True),
    }


def test_what_needs_an_option_is_left_alone(cli: Cli, applied: Path, sandbox: Sandbox) -> None:
    applied.write_text(csv_of(1).replace(f"{STREAM_KEY}-1", "new-key"))
    sent = changes_sent(sandbox)
    end = cli("apply", applied, "--yes")
    assert end.code == 1
    assert "✗ 1 needs --rotate, in " in end.out
    assert "1  with another stream key: --rotate replaces it" in end.out
    assert AGAIN not in end.err
    assert changes_sent(sandbox) == sent


def test_an_extra_restream_does_not_make_apply_fail(cli: Cli, applied: Path) -> None:
    applied.write_text(csv_of(1).replace("Title 1", "Other").replace(f"{STREAM_KEY}-1", "other"))
    end = cli("apply", applied, "--yes")
    assert end.code == 0
    assert "✓ 1 created, 1 extra, in " in end.out


@pytest.mark.parametrize(("answer", "created"), [("y", 3), ("n", 0), ("", 0)])
def test_apply_shows_the_plan_and_asks(
    cli: Cli, sandbox: Sandbox, file: Path, answer: str, created: int
) -> None:
    end = cli("apply", file, stdin=Terminal(f"{answer}\n"))
    assert end.code == 0
    assert end.err.startswith("Make these 3 changes? [y/N] ")
    assert end.out.count("+ create ") == 3
    assert "3 videos: 3 to create\n" in end.out
    assert end.out.count("+ created ") == created
    assert ("Nothing was changed." in end.err) == (not created)
    assert len(sandbox.stored) == created


def test_one_change_is_asked_for_as_one(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    del sandbox
    file.write_text(csv_of(1))
    assert cli("apply", file, stdin=Terminal("n\n")).err.startswith("Make this change? [y/N] ")


def test_ctrl_c_answers_the_question_with_no(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    end = cli("apply", file, stdin=CtrlC("y\n"))
    assert end.code == 130
    assert end.err.endswith("[y/N] \nError: interrupted: nothing was changed\n")
    assert not sandbox.stored


def test_without_a_terminal_nothing_is_read_before_it_says_that_it_needs_a_yes(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    end = cli("apply", file)
    assert end.code == 2
    assert "pass --yes to change without being asked" in end.err
    assert sandbox.counts.lists == 0


def test_nothing_to_do_is_not_asked_for(cli: Cli, applied: Path) -> None:
    end = cli("apply", applied, stdin=Terminal())
    assert (end.code, end.err) == (0, "")
    assert end.out == "✓ 3 videos are in sync: 3 unchanged\nThere is nothing to do.\n"


def test_nothing_that_can_be_done_without_an_option_is_a_failure(cli: Cli, applied: Path) -> None:
    applied.write_text(csv_of(1).replace(f"{STREAM_KEY}-1", "new-key"))
    end = cli("apply", applied, stdin=Terminal())
    assert end.code == 1
    assert end.out.endswith("--rotate replaces it\n")
    assert end.err == "Nothing was changed.\n"


def test_apply_asks_nothing_if_no_video_could_be_read(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("RESTREAM_API_KEY", "wrong")
    end = cli("apply", file, "--no-journal", stdin=Terminal("y\n"))
    assert end.code == 1
    assert "✗ 3 videos: 3 not read\nNot read:\n" in end.out
    assert "check the API key (RESTREAM_API_KEY or --api-key-file)" in end.out
    assert end.err == "Nothing was changed.\n"
    assert not sandbox.stored


def test_a_plan_that_ends_early_is_not_asked_for(
    cli: Cli, sandbox: Sandbox, file: Path, settings: pytest.MonkeyPatch
) -> None:
    file.write_text(csv_of(20))
    settings.setenv("RESTREAM_API_KEY", "wrong")
    end = cli("apply", file, "--max-in-flight", "1", stdin=Terminal("y\n"))
    assert end.code == 2
    assert "401" in end.err
    assert "[y/N]" not in end.err
    assert sandbox.counts.posts == 0


def test_json_has_the_outcome_of_each_change_and_the_plan_is_a_message(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    del sandbox
    end = cli("apply", file, "--json", stdin=Terminal("y\n"))
    assert end.code == 0
    lines = [json.loads(line) for line in end.out.splitlines()]
    assert [(line["action"], line["outcome"], line["inSync"]) for line in lines] == [
        ("create", "done", True)
    ] * 3
    assert "+ create    Title 1" in end.err
    assert "✓ 3 created, in " in end.err
    assert no_secrets(end.out, end.err)


def test_what_fails_is_listed_and_the_rest_is_done(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    file.write_text(csv_of(20))
    sandbox.faults = Faults(before={Fault.INTERNAL_ERROR: 0.5})
    end = cli("apply", file, "--yes", "--attempts", "1")
    created = len(sandbox.stored)
    assert 0 < created < 20
    assert end.code == 1
    assert end.out.count("✗ create    Title ") == 20 - created
    assert end.out.count("              500 Internal Server Error\n") == 20 - created
    assert f"✗ {created} created, {20 - created} failed, in " in end.out
    assert end.err.endswith(AGAIN)
    sandbox.faults = Faults()
    assert cli("apply", file, "--yes").code == 0
    assert len(sandbox.stored) == 20


def test_json_that_cannot_be_written_stops_apply(cli: Cli, sandbox: Sandbox, file: Path) -> None:
    del sandbox
    cli.out_file = Path("/dev/full")
    end = cli("apply", file, "--yes", "--json")
    assert end.code == 1
    assert "could not be written to standard output: no space left on device" in end.err
    assert end.err.endswith(AGAIN)


def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_go_on(
    cli: Cli, slow_sandbox: Sandbox, file: Path
) -> None:
    file.write_text(csv_of(100))

    with interrupt_when(lambda: slow_sandbox.counts.posts == 2):
        end = cli("apply", file, "--yes", "--max-in-flight", "2")
    assert end.code == 130
    assert "Stopping: requests in flight are finished first" in end.err
    created = len(slow_sandbox.stored)
    assert created >= 2
    assert f"✗ {created} created, " in end.out
    assert end.err.endswith(AGAIN)
    slow_sandbox.latency = 0.0
    assert cli("apply", file, "--yes").code == 0
    assert len(slow_sandbox.stored) == 100


def test_a_second_ctrl_c_stops_at_once_and_says_that_changes_may_have_been_made(
    cli: Cli, slow_sandbox: Sandbox, file: Path
) -> None:
    slow_sandbox.list_latency, slow_sandbox.latency = 0.0, 60
    with interrupt_when(lambda: slow_sandbox.counts.posts == 3, cli.says_stopping):
        end = cli("apply", file, "--yes")
    assert end.code == 130
    assert "Error: changes that were in flight may or may not have been made\n" in end.err
    assert "✗ nothing done, in " in end.out


def test_apply_keeps_a_journal_beside_its_input(cli: Cli, applied: Path, sandbox: Sandbox) -> None:
    assert Path(f"{applied}.journal").exists()
    assert cli("undo", f"{applied}.journal", "--yes").code == 0
    assert not sandbox.stored


@pytest.mark.parametrize("options", [["--no-journal"], ["--journal", "other.db"]])
def test_a_journal_can_be_left_out_or_be_elsewhere(
    cli: Cli, sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    del sandbox
    monkeypatch.chdir(file.parent)
    assert cli("apply", file, "--yes", *options).code == 0
    assert not Path(f"{file}.journal").exists()
    assert Path("other.db").exists() == (options[0] == "--journal")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--journal", "x.db", "--no-journal"], "--journal and --no-journal exclude each other"),
        (["--journal", "-"], "--journal needs a file, not a standard stream: name a file"),
        (["--journal", "input.csv"], "are the same file, so nothing was sent"),
        (
            ["--journal", "nowhere/x.db"],
            "; pass --journal PATH for another place, or --no-journal to keep none",
        ),
        (
            ["--journal", "text"],
            "text is not a journal: name another journal (--journal PATH), or keep none (--no-jour",
        ),
        (["--journal", "damaged"], "is damaged: move it away and run the same command again\n"),
        (["--destinations", "input.csv"], "are the same file, so nothing was sent"),
    ],
)
def test_a_journal_that_cannot_be_used_is_a_sentence(
    cli: Cli,
    sandbox: Sandbox,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(file.parent)
    Path("text").write_text("no journal " * 100)
    if options[-1] == "damaged":
        assert cli("apply", file, "--yes", *options).code == 0
        os.truncate("damaged", 100)
    sent = changes_sent(sandbox)
    end = cli("apply", file, "--yes", *options)
    assert end.code == 2
    assert problem in end.err
    assert changes_sent(sandbox) == sent


def test_an_input_that_changes_after_its_check_deletes_nothing(
    cli: Cli, applied: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = WantedInput.__iter__

    def changed(wanted: WantedInput) -> object:
        applied.write_text(csv_of(1))
        return original(wanted)

    monkeypatch.setattr(WantedInput, "__iter__", changed)
    end = cli("apply", applied, "--yes", "--prune")
    assert end.code == 2
    assert "changed while it was being sent" in end.err
    assert len(sandbox.stored) == 3


def test_on_a_terminal_changes_and_progress_share_it(
    slow_sandbox: Sandbox, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del slow_sandbox
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["apply", str(file), "--yes"]) == 0
    shown = screen()
    assert "Applying: 0 of 3 videos" in shown
    assert f"  + created   Title 1  {HOST}  id " in plain(shown)
