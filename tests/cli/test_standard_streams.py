"""Standard streams that are missing, full, or cannot take a character."""

import io
import os
import sys
from pathlib import Path

import pytest

from restream_async.cli.standard_streams import flush_streams, prepare_streams
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import STREAM_KEY, STREAM_URL, Cli, csv_of, run_in_shell

FULL = Path("/dev/full")
TITLE = "Прямой эфир ☕ 😀"
CREATE = ["create", "--video-id", "v1", "--title", TITLE, "--url", STREAM_URL]

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a disk that is full")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_title_that_the_encoding_does_not_have_is_escaped(
    sandbox: Sandbox, encoding: str
) -> None:
    end = run_in_shell(sandbox, CREATE, PYTHONIOENCODING=encoding)
    assert (end.returncode, end.stderr) == (0, b"")
    assert end.stdout.startswith(rb"Created restream 1 of v1: \u041f\u0440")
    assert sandbox.stored[0].title == TITLE


def test_a_locale_without_an_encoding_will_do(sandbox: Sandbox) -> None:
    assert run_in_shell(sandbox, CREATE).returncode == 0
    end = run_in_shell(sandbox, ["list", "v1"], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (end.returncode, end.stderr) == (0, b"")
    assert rb"\u041f\u0440" in end.stdout


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_get_in_the_way_of_nothing(
    sandbox: Sandbox, tmp_path: Path, streams: str
) -> None:
    assert run_in_shell(sandbox, CREATE, streams).returncode == 0
    assert len(sandbox.stored) == 1
    file = tmp_path / "input.csv"
    file.write_text(csv_of(5))
    end = run_in_shell(sandbox, ["bulk", str(file)], streams)
    assert end.returncode == 0, end.stderr
    assert b"Traceback" not in end.stderr
    assert len(sandbox.stored) == 6
    assert file.read_text() == csv_of(5)
    assert run_in_shell(sandbox, ["undo", f"{file}.journal", "--yes"], streams).returncode == 0
    assert len(sandbox.stored) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (CREATE, "restream 2 was created, but standard output could not be written: no space left"),
        ([*CREATE, "--json"], "restream 2 was created, but standard output"),
        (["toggle", "1"], "restream 1 is now inactive, but standard output could not be written"),
        (["delete", "1", "--yes"], "restream 1 was deleted, but standard output could not be"),
        (["list", "v1"], "Error: standard output could not be written: no space left on device"),
        (["list", "v1", "--json"], "Error: standard output could not be written"),
        (["sandbox", "--port", "0"], "Error: standard output could not be written"),
        (["asyncapi"], "Error: standard output could not be written"),
        (["--version"], "Error: no space left on device"),
        (["bulk", "--help"], "Error: no space left on device"),
    ],
)
def test_a_full_standard_output_is_a_sentence_that_says_what_exists(
    cli: Cli,
    sandbox: Sandbox,
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", STREAM_KEY)
    assert cli(*CREATE).code == 0
    end = run_in_shell(sandbox, arguments, ">/dev/full")
    assert end.returncode == 1
    assert sentence in end.stderr.decode()
    assert end.stderr.count(b"\n") == 1 or arguments[0] == "sandbox"
    assert b"Traceback" not in end.stderr


def test_a_full_standard_output_stops_a_bulk_run_and_says_what_was_created(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "input.csv"
    file.write_text(csv_of(3))
    end = run_in_shell(sandbox, ["bulk", str(file)], ">/dev/full")
    assert end.returncode == 1
    assert b"3 restreams created" in end.stderr
    assert b"could not be written to standard output: no space left on device" in end.stderr
    assert b"Traceback" not in end.stderr
    # Neither of these commands prints anything there.
    assert run_in_shell(sandbox, ["undo", f"{file}.journal", "-y"], ">/dev/full").returncode == 0
    assert run_in_shell(sandbox, ["demo", "--count", "5"], ">/dev/full").returncode == 0


def test_a_full_standard_error_stops_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "input.csv"
    file.write_text(csv_of(3))
    assert run_in_shell(sandbox, ["bulk", str(file)], "2>/dev/full").returncode == 0
    assert len(sandbox.stored) == 3
    assert run_in_shell(sandbox, ["undo", f"{file}.journal", "-y"], "2>/dev/full").returncode == 0
    assert not sandbox.stored
    assert run_in_shell(sandbox, ["demo", "--count", "5"], "2>/dev/full").returncode == 0


def test_missing_descriptors_and_streams_become_the_null_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = os.dup(0)
    os.close(0)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", None)
            written = io.BytesIO()
            patch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
            prepare_streams()
            assert os.path.samestat(os.fstat(0), os.stat(os.devnull))  # noqa: PTH116 - beside fstat
            assert not sys.stdin.read()
            sys.stdout.write("é")
            sys.stdout.flush()
            assert written.getvalue() == rb"\xe9"
            sys.stdin.close()
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_cannot_be_written_at_the_end_is_dropped_without_a_word(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with FULL.open("w") as stream:
        stream.write("no room for this")
        monkeypatch.setattr(f"sys.{name}", stream)
        flush_streams()
        stream.write("nor for this")


def test_a_stream_of_another_kind_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with io.StringIO() as stream:
        monkeypatch.setattr("sys.stdout", stream)
        prepare_streams()
        assert sys.stdout is stream
