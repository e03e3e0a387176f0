"""Input, output, journal and messages must be different files."""

import os
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.file_roles import FileRole, refuse_shared
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, csv_of, run_in_shell

COUNT = 5


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
    assert "are the same file, so nothing was sent" in end.err or "name a file" in end.err
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
def test_a_redirection_gives_no_file_two_roles(
    sandbox: Sandbox, file: Path, arguments: list[str], streams: str
) -> None:
    end = run_in_shell(sandbox, ["bulk", *arguments], streams, folder=file.parent)
    assert end.returncode == 2
    said = end.stderr.decode() or Path(f"{file}.journal").read_text()
    assert "are the same file, so nothing was sent" in said
    assert said.startswith("Error: standard input and ") is arguments[0].startswith("-")
    assert sandbox.counts.posts == 0
    assert file.read_text() == csv_of(COUNT)


def test_one_file_for_outcomes_and_messages_is_no_mistake(sandbox: Sandbox, file: Path) -> None:
    end = run_in_shell(
        sandbox, ["bulk", "input.csv", "--output", "-"], "> both 2>&1", folder=file.parent
    )
    assert end.returncode == 0
    both = (file.parent / "both").read_text()
    assert both.count('"outcome": "created"') == COUNT
    assert "5 restreams created" in both


def test_devices_and_missing_files_can_be_shared_or_told_apart(tmp_path: Path) -> None:
    null = FileRole.of_path("one", Path(os.devnull))
    refuse_shared(null, null)
    absent = FileRole.of_path("one", tmp_path / "a" / ".." / "b")
    refuse_shared(absent, FileRole.of_path("another", tmp_path / "c"))
    with pytest.raises(CliError, match="one and another are the same file"):
        refuse_shared(absent, FileRole.of_path("another", tmp_path / "b"))
