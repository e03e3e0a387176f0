"""No file has two roles, no output is taken from another run, and a journal stands by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import Role, refuse_shared
from restream_async.sandbox import Faults, Sandbox
from tests.helpers.command_line import (
    API_KEY,
    HEADER,
    Cli,
    csv_of,
    meanwhile,
    outcomes,
    row,
    sandbox_beside,
    wait_until,
)

COUNT = 5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "input.csv"
    path.write_text(csv_of(COUNT))
    return path


@pytest.fixture
def journal(file: Path) -> Path:
    return Path(f"{file}.journal")


def shell(
    sandbox: Sandbox, file: Path, arguments: Sequence[object], streams: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command line in the folder of `file`, with its streams as a shell sets them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(  # noqa: S603 - our own
        ["/bin/sh", "-c", f'exec {sys.executable} -m restream_async.cli "$@" {streams}', "sh"]
        + [str(each) for each in arguments],
        env={
            **kept,
            "RESTREAM_BASE_URL": sandbox.base_url,
            "RESTREAM_PROJECT_ID": sandbox.project_id,
            "RESTREAM_API_KEY": API_KEY,
        },
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_a_name_of_standard_output_is_standard_output(
    cli: Cli, sandbox: Sandbox, file: Path, name: str
) -> None:
    end = cli("bulk", file, "--output", name)
    assert end.code == 0, end.err
    assert end.out.count('"outcome": "created"') == len(sandbox.stored) == COUNT
    assert name not in end.err


def test_a_file_that_is_sent_twice_is_created_once(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    first, second = cli("bulk", file), cli("bulk", file)
    assert (first.code, second.code) == (0, 0)
    assert len(sandbox.stored) == sandbox.counts.posts == COUNT
    assert f"Journal: {journal}\nTo delete what was created: restream-async undo" in first.err
    assert f"{COUNT} restreams created by an earlier run" in second.err
    assert cli("undo", journal, "--yes").code == 0
    assert not sandbox.stored


def test_without_a_journal_it_is_created_twice_and_that_is_asked_for(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path
) -> None:
    for _ in range(2):
        end = cli("bulk", file, "--no-journal")
        assert end.code == 0
        assert "ournal" not in end.err
    assert len(sandbox.stored) == 2 * COUNT
    assert not journal.exists()


def test_another_journal_can_be_named_but_not_together_with_none(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    assert cli("bulk", file, "--journal", other).code == 0
    assert other.exists()
    assert not journal.exists()
    end = cli("bulk", file, "--journal", other, "--no-journal")
    assert end.code == 2
    assert "--journal and --no-journal exclude each other" in end.err
    assert sandbox.counts.posts == COUNT


def test_standard_input_and_a_dry_run_have_no_journal(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert cli("bulk", file, "--dry-run").code == 0
    assert cli("bulk", "-", stdin=csv_of(1).encode()).code == 0
    assert not journal.exists()
    assert [each.name for each in file.parent.glob("*journal*")] == []
    assert cli("bulk", "-", "--journal", journal, stdin=csv_of(1).encode()).code == 0
    assert journal.exists()
    assert sandbox.counts.posts == 2


def test_a_journal_that_cannot_be_made_asks_for_another_place_or_none(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    # With its ending, the name is longer than a file's may be.
    file = tmp_path / ("x" * 250)
    file.write_text(csv_of(1))
    end = cli("bulk", file)
    assert end.code == 2
    assert "pass --journal PATH for another place, or --no-journal to do without" in end.err
    assert sandbox.counts.posts == 0
    assert cli("bulk", file, "--no-journal").code == 0


def test_a_journal_of_another_project_says_how_to_name_another(
    cli: Cli, sandbox: Sandbox, file: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("bulk", file).code == 0
    monkeypatch.setenv("RESTREAM_PROJECT_ID", "p2")
    end = cli("bulk", file)
    assert end.code == 2
    assert f"{journal} belongs to the project id 'p1', not to 'p2'" in end.err
    assert end.err.endswith(
        "name another journal (--journal PATH), or keep none (--no-journal --ensure)\n"
    )
    assert sandbox.counts.posts == COUNT


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "input.csv", "--force"],
        ["--output", "link", "--force"],
        ["--output", "hard", "--force"],
        ["--output", "out", "--journal", "out"],
        ["--output", "out", "--journal", "to-out"],
        ["--output", "new.db-wal", "--journal", "new.db"],
        ["--output", "new.db-shm", "--journal", "new.db"],
        ["--output", "input.csv.journal"],
        ["--journal", "input.csv"],
        ["--journal", "hard"],
        ["--journal", "-"],
    ],
    ids=" ".join,
)
def test_no_file_has_two_roles(
    cli: Cli, sandbox: Sandbox, file: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    Path("link").symlink_to(file)
    Path("hard").hardlink_to(file)
    Path("to-out").symlink_to("out")
    end = cli("bulk", file, *arguments)
    assert end.code == 2
    assert "are the same file, so nothing was sent" in end.err or "name one" in end.err
    assert sandbox.counts.posts == 0
    assert file.read_text() == csv_of(COUNT)
    assert not Path("out").exists()
    assert not Path("new.db").exists()


@pytest.mark.parametrize(
    ("arguments", "streams"),
    [
        (["input.csv"], "> input.csv.journal"),
        (["input.csv", "--output", "-"], "> input.csv.journal"),
        (["input.csv"], ">> input.csv"),
        (["input.csv", "--journal", "/dev/stdout"], "> new"),
        (["input.csv", "--journal", "/dev/fd/1"], "> new"),
        (["input.csv"], "2> input.csv.journal"),
        (["-", "--journal", "run.db"], "< input.csv >> input.csv"),
        (["-", "--output", "input.csv", "--force"], "< input.csv"),
        (["/dev/stdin", "--output", "input.csv", "--force"], "< input.csv"),
    ],
)
def test_nor_has_one_through_a_redirection(
    sandbox: Sandbox, file: Path, arguments: list[str], streams: str
) -> None:
    end = shell(sandbox, file, ["bulk", *arguments], streams)
    assert end.returncode == 2
    said = end.stderr or Path(f"{file}.journal").read_text()
    assert "are the same file, so nothing was sent" in said
    assert said.startswith("Error: standard input and ") is arguments[0].startswith("-")
    assert sandbox.counts.posts == 0
    assert file.read_text() == csv_of(COUNT)


def test_one_file_for_outcomes_and_messages_is_no_mistake(sandbox: Sandbox, file: Path) -> None:
    end = shell(sandbox, file, ["bulk", "input.csv", "--output", "-"], "> both 2>&1")
    assert end.returncode == 0
    both = (file.parent / "both").read_text()
    assert both.count('"outcome": "created"') == COUNT
    assert "5 restreams created" in both


def test_devices_and_missing_files_can_be_shared_or_told_apart(tmp_path: Path) -> None:
    null = Role.of_path("one", Path(os.devnull))
    refuse_shared(null, null)
    absent = Role.of_path("one", tmp_path / "a" / ".." / "b")
    refuse_shared(absent, Role.of_path("another", tmp_path / "c"))
    with pytest.raises(CliError, match="one and another are the same file"):
        refuse_shared(absent, Role.of_path("another", tmp_path / "b"))


def test_a_second_run_leaves_the_output_of_the_first_alone(
    cli: Cli, settings: pytest.MonkeyPatch, file: Path, journal: Path, tmp_path: Path
) -> None:
    output = tmp_path / "outcomes.jsonl"
    command = ["bulk", str(file), "--output", str(output), "--max-in-flight", "1"]
    file.write_text(csv_of(12))
    with sandbox_beside(latency=0.1) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        first: list[subprocess.CompletedProcess[str]] = []
        with meanwhile(lambda: first.append(shell(sandbox, file, command))):
            wait_until(lambda: output.exists() and output.read_text().count("\n") > 2)
            end = cli(*command)
            assert end.code == 2
            assert f"the journal {journal} is in use by another run" in end.err
            assert cli(*command, "--force").code == 2
        assert first[0].returncode == 0, first[0].stderr
        assert len(outcomes(output.read_text())) == len(sandbox.stored) == 12


def test_a_resumed_run_replaces_its_own_outcomes_and_nothing_else(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    output, other = tmp_path / "outcomes.jsonl", tmp_path / "other.jsonl"
    assert cli("bulk", file, "--output", output).code == 0
    assert cli("bulk", file, "--output", output).code == 0
    assert {each["origin"] for each in outcomes(output.read_text())} == {"journal"}
    other.write_text(output.read_text())
    end = cli("bulk", file, "--output", other)
    assert end.code == 2
    assert f"{other} exists already: pass --force" in end.err
    assert len(outcomes(other.read_text())) == COUNT
    assert cli("bulk", file, "--output", other, "--force").code == 0
    assert cli("bulk", file, "--output", other).code == 0
    assert sandbox.counts.posts == COUNT


@pytest.mark.parametrize("text", ["precious", '{"line": 1}', "[1]", "\xff"])
def test_what_took_the_place_of_the_outcomes_is_kept(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path, text: str
) -> None:
    output = tmp_path / "outcomes.jsonl"
    assert cli("bulk", file, "--output", output).code == 0
    output.write_text(text, encoding="latin-1")
    assert cli("bulk", file, "--output", output).code == 2
    assert output.read_text(encoding="latin-1") == text
    output.write_text("")
    assert cli("bulk", file, "--output", output).code == 0
    output.unlink()
    assert cli("bulk", file, "--output", output).code == 0
    assert sandbox.counts.posts == COUNT


def test_an_output_that_cannot_be_opened_means_that_nothing_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    end = cli("bulk", file, "--output", tmp_path / "nowhere" / "outcomes.jsonl")
    assert end.code == 2
    assert "cannot write" in end.err
    assert sandbox.counts.posts == 0
    assert cli("bulk", file).code == 0, "the journal was closed again"


@pytest.mark.parametrize("repair", [[], ["--repair"]])
def test_a_resumed_run_names_a_late_duplicate_by_its_line(
    cli: Cli,
    settings: pytest.MonkeyPatch,
    file: Path,
    repair: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async._bulk.reconciliation.GRACE", 2.0)
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
            # It has answered 503, is going to store it all the same, and asks for 5 s of patience.
            wait_until(lambda: sandbox.counts.posts == 1)
            process.send_signal(signal.SIGKILL)
        assert not sandbox.stored
        end = cli("bulk", file, *repair)
        assert len(sandbox.stored) == (1 if repair else 2)
    assert end.code == (0 if repair else 1), end.err
    assert "Traceback" not in end.err
    said = "existed more than once: id 1 stays" if repair else "exists more than once: ids 1, 2"
    assert f"Error: line 3 of {file} (video v1) {said}" in end.err


def test_outcomes_name_what_the_service_has_otherwise(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    assert cli("bulk", file, "--no-journal").code == 0
    file.write_text(csv_of(COUNT + 4).replace("Title 1,", "Another title,"))
    end = cli("bulk", file, "--no-journal", "--ensure")
    assert end.code == 0
    first, *others = outcomes(end.out)
    assert (first["title"], first["differences"]) == ("Title 1", ["title"])
    assert (first["outcome"], first["origin"]) == ("existing", "existing")
    assert not any(each["differences"] for each in others)
    assert f"✓ 4 restreams created, {COUNT} existed already, in" in end.err
    assert "1  with another title or status than asked: see `differences`" in end.err
    assert json.loads(end.out.splitlines()[0])
    assert len(sandbox.stored) == COUNT + 4
