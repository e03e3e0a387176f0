import gzip
import io
import itertools
import os
import threading
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.source import InputSource
from restream_async.cli.output.console import console_on
from tests.helpers.command_line import Terminal


@contextmanager
def opened(where: object) -> Generator[InputSource]:
    with InputSource(str(where), console_on(io.StringIO())) as source:
        yield source


def lines(count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(1, count + 1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "input.csv"


def test_the_second_reading_gives_what_the_first_one_gave(file: Path) -> None:
    file.write_bytes(lines(2500) + b"the last one, without its end")
    with opened(file) as source:
        first = list(source.lines())
        assert b"".join(first) == file.read_bytes()
        assert list(source.lines_again()) == first


@pytest.mark.parametrize("line", [1, 1000, 1001, 2500])
def test_a_changed_line_is_noticed_before_it_is_given_out(file: Path, line: int) -> None:
    file.write_bytes(lines(2500))
    with opened(file) as source:
        list(source.lines())
        with file.open("r+b") as writing:
            writing.write(lines(2500).replace(b"line %d\n" % line, b"LINE %d\n" % line))
        given: list[bytes] = []
        with pytest.raises(CliError, match=r"changed while .* nothing from line ([\d,]+) on"):
            given.extend(itertools.takewhile(lambda _: True, source.lines_again()))
        assert not any(each.startswith(b"LINE") for each in given)


@pytest.mark.parametrize(("left", "at"), [(0, "1"), (1000, "1,001"), (2400, "2,001")])
def test_lines_that_are_gone_are_noticed(file: Path, left: int, at: str) -> None:
    file.write_bytes(lines(2500))
    with opened(file) as source:
        list(source.lines())
        os.truncate(file, len(lines(left)))
        with pytest.raises(CliError, match=f"nothing from line {at} on was sent"):
            list(source.lines_again())


@pytest.mark.parametrize("before", [1000, 1500])
def test_lines_that_came_later_are_noticed(file: Path, before: int) -> None:
    file.write_bytes(lines(before))
    with opened(file) as source:
        list(source.lines())
        with file.open("ab") as writing:
            writing.write(b"one more\n")
        with pytest.raises(CliError, match="nothing from line 1,001 on was sent"):
            list(source.lines_again())


def test_a_file_that_an_editor_replaces_is_read_on_as_it_was(file: Path) -> None:
    file.write_bytes(lines(3))
    with opened(file) as source:
        list(source.lines())
        other = file.with_suffix(".new")
        other.write_bytes(b"something else\n")
        other.replace(file)
        assert b"".join(source.lines_again()) == lines(3)


def test_blocks_of_long_lines_are_small(file: Path) -> None:
    file.write_bytes(b"".join(b"x" * 600_000 + b"\n" for _ in range(5)))
    with opened(file) as source:
        first = list(source.lines())
        assert list(source.lines_again()) == first


def test_a_line_longer_than_a_mebibyte_is_refused(file: Path) -> None:
    file.write_bytes(b"fine\n" + b"x" * (1024 * 1024 + 1))
    with (
        opened(file) as source,
        pytest.raises(CliError, match=r"line 2 of .* is longer .* right file"),
    ):
        list(source.lines())


def test_a_line_of_just_a_mebibyte_is_read(file: Path) -> None:
    file.write_bytes(b"x" * (1024 * 1024 - 1) + b"\n")
    with opened(file) as source:
        assert len(list(source.lines())) == 1


def test_standard_input_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines(3))))
    with opened("-") as source:
        assert source.name == "standard input"
        assert list(source.lines()) == list(source.lines_again())


def test_a_terminal_is_told_how_to_end_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Typing(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Typing(io.BytesIO(lines(1))))
    said = Terminal()
    with InputSource("-", console_on(said)) as source:
        assert list(source.lines()) == [b"line 1\n"]
    assert "end the input with Ctrl-D" in said.getvalue()


def test_a_pipe_with_a_name_can_be_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[lines(3)])
    writer.start()
    with opened(pipe) as source:
        writer.join()
        assert list(source.lines()) == list(source.lines_again())


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read .*nothing\.csv: no such file or directory"):
        opened(tmp_path / "nothing.csv").__enter__()


def test_a_disk_that_fails_at_once_is_one_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            del size
            raise OSError(5, "Input/output error")

    broken = Broken()

    def open_(source: InputSource) -> BinaryIO:
        del source
        return broken

    monkeypatch.setattr(InputSource, "_open", open_)
    with pytest.raises(CliError, match=r"cannot read .*: input/output error"):
        opened(file).__enter__()
    assert broken.closed


def test_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read .*: is a directory"):
        opened(tmp_path).__enter__()


def test_a_disk_that_fails_is_one_sentence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            del size
            raise OSError(5, "Input/output error")

    file.write_bytes(lines(3))
    with opened(file) as source, monkeypatch.context() as patch:
        patch.setattr(source, "_file", Broken())
        with pytest.raises(CliError, match=r"cannot read .* at line 1: input/output error"):
            list(source.lines())


@pytest.mark.parametrize(
    ("name", "start", "form"),
    [
        ("x.csv", b"{", "csv"),
        ("x.CSV", b"", "csv"),
        ("x.tsv", b"{", "csv"),
        ("x.csv.gz", b"{", "csv"),
        ("x.ndjson.GZ", b"", "jsonl"),
        ("x.gz", b"{", "jsonl"),
        ("x.json", b" [", "jsonl"),
        ("x.jsonl", b"", "jsonl"),
        ("x.ndjson", b"", "jsonl"),
        ("x.txt", b"videoId,", "csv"),
        ("x", b'\xef\xbb\xbf \n {"videoId"', "jsonl"),
        ("x", b"", "csv"),
    ],
)
def test_the_format_is_known_by_the_ending_else_by_the_start(
    tmp_path: Path, name: str, start: bytes, form: str
) -> None:
    (tmp_path / name).write_bytes(start)
    with opened(tmp_path / name) as source:
        assert source.guess_format() == form


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_gzip_file_is_read_as_what_it_holds(file: Path, pieces: int) -> None:
    file.write_bytes(gzip.compress(lines(2500)) * pieces)
    with opened(file) as source:
        first = list(source.lines())
        assert b"".join(first) == lines(2500) * pieces
        assert list(source.lines_again()) == first


def test_a_gzip_file_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(b'{"videoId"')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    with opened("-") as source:
        assert source.guess_format() == "jsonl"
        assert list(source.lines()) == [b'{"videoId"']


def test_a_gzip_file_is_unpacked_in_bounded_memory(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as writing:
        writing.writelines(b"x" * 100_000 + b"\n" for _ in range(200))
    with opened(file) as source:
        tracemalloc.start()
        try:
            # Twenty megabytes.
            assert sum(map(len, source.lines())) == 200 * 100_001
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("cut", "place"), [(3, ""), (15, ""), (3000, r" at line 1,\d+"), (-1, " at line 2,501")]
)
def test_a_gzip_file_that_is_cut_off_is_called_incomplete(file: Path, cut: int, place: str) -> None:
    file.write_bytes(gzip.compress(lines(2500))[:cut])
    said = f"cannot read .*csv{place}: the file is incomplete: its gzip data end in the middle"
    with opened(file) as source, pytest.raises(CliError, match=said):
        list(source.lines())


@pytest.mark.parametrize("place", [2, 20, -8])
def test_a_gzip_file_that_is_damaged_is_called_damaged(file: Path, place: int) -> None:
    data = bytearray(gzip.compress(lines(2500)))
    data[place] ^= 0xFF
    file.write_bytes(data)
    with opened(file) as source, pytest.raises(CliError, match="its gzip data are damaged"):
        list(source.lines())


def test_a_gzip_file_that_is_cut_off_between_two_readings_ends_the_second(file: Path) -> None:
    data = gzip.compress(lines(5000))
    file.write_bytes(data)
    with opened(file) as source:
        list(source.lines())
        os.truncate(file, len(data) // 2)
        with pytest.raises(CliError, match=r"at line [\d,]+: the file is incomplete"):
            list(source.lines_again())


def test_a_file_has_its_journal_beside_it(file: Path) -> None:
    file.write_bytes(lines(1))
    with opened(file) as source:
        assert source.default_journal == Path(f"{file}.journal")


def test_what_flows_in_once_has_no_journal_beside_it(tmp_path: Path, file: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[lines(1)])
    writer.start()
    with opened(pipe) as source:
        assert source.default_journal is None
    writer.join()
    file.write_bytes(lines(1))
    with file.open("rb") as reading, opened(f"/dev/fd/{reading.fileno()}") as source:
        assert source.default_journal is None


def test_a_source_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        InputSource("x", console_on(io.StringIO())).guess_format()
