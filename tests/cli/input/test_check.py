from pathlib import Path

import pytest

from restream_async.cli import main
from restream_async.cli.input import check
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import (
    HEADER,
    Cli,
    csv_of,
    meanwhile,
    no_secrets,
    outcomes,
    pseudo_terminal,
    row,
    wait_until,
)


def test_every_bad_line_is_reported_before_anything_is_sent(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    file.write_text("\n".join([HEADER, row(1), row(2, status="perhaps"), row(3), "x", row(4)]))
    end = cli("bulk", file)
    assert end.code == 2
    assert f"{file}:3: status must be one of" in end.err
    assert f"{file}:5: has 1 cell, but the header has 5" in end.err
    assert f"Error: 2 lines of {file} cannot be sent, so nothing was sent: correct them" in end.err
    assert not end.out
    assert sandbox.counts.posts == 0
    assert no_secrets(end.err)


def test_a_single_bad_line_is_an_it(cli: Cli, settings: object, file: Path) -> None:
    del settings
    file.write_text(f"{HEADER}\n{row(1)}\nx\n")
    assert "1 line of" in (err := cli("bulk", file).err)
    assert "correct it and" in err


def test_of_very_many_bad_lines_the_first_fifty_are_shown(
    cli: Cli, settings: object, file: Path
) -> None:
    del settings
    file.write_text(HEADER + "\nx" * 1234)
    end = cli("bulk", file)
    assert end.err.count(": has 1 cell, ") == 50
    assert "… and 1,184 more bad lines" in end.err
    assert "1,234 lines of" in end.err


def test_columns_that_mean_nothing_are_left_out_and_named(
    cli: Cli, sandbox: Sandbox, file: Path
) -> None:
    file.write_text(f"{HEADER},notes,\x1b[2J\n{row(1)},call Tom,\n")
    end = cli("bulk", file)
    assert end.code == 0
    assert "ignored: notes, [2J" in end.err
    assert len(sandbox.stored) == 1


@pytest.mark.parametrize("text", ["", "\n\n", f"{HEADER}\n"])
def test_an_empty_input_is_an_error(cli: Cli, settings: object, file: Path, text: str) -> None:
    del settings
    file.write_text(text)
    end = cli("bulk", file)
    assert end.code == 2
    assert f"Error: {file} has no restreams" in end.err


def test_very_many_videos_are_not_counted_to_the_end(
    cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_MOST_VIDEOS", 1)
    assert "3 restreams for more than 1 live videos" in cli("bulk", file, "--dry-run").err


def test_on_a_terminal_a_long_check_says_how_far_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_STATUS_EVERY", 1)
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["bulk", str(file), "--dry-run"]) == 0
    assert "Checking the input: 3 so far" in screen()


def test_a_file_that_changes_on_the_way_stops_the_run(
    cli: Cli, slow_sandbox: Sandbox, file: Path
) -> None:
    file.write_text(csv_of(1500))

    def change() -> None:
        wait_until(lambda: slow_sandbox.counts.posts)
        with file.open("ab") as writing:
            writing.write(f"{row(1501)}\n".encode())
        slow_sandbox.latency = 0

    with meanwhile(change):
        end = cli("bulk", file)
    assert end.code == 2
    assert "changed while it was being sent: nothing from line 1,001 on was sent" in end.err
    assert "✗ 999 restreams created, 501 not sent" in end.err
    assert len(slow_sandbox.stored) == len(outcomes(end.out)) == 999
