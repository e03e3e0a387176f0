import bz2
import gzip
import io
import lzma
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.source import InputSource
from restream_async.cli.output.console import console_on
from tests.helpers.command_line import HEADER

ARCHIVE = b"name".ljust(257, b"\0") + b"ustar"


@contextmanager
def opened(where: object) -> Generator[InputSource]:
    with InputSource(str(where), console_on(io.StringIO())) as source:
        yield source


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (HEADER.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (HEADER.encode("utf-16-le"), "is UTF-16: save it as UTF-8"),
        (HEADER.encode("utf-16-be"), "is UTF-16: save it as UTF-8"),
        (HEADER.encode("utf-32"), "is UTF-32: save it as UTF-8"),
        (HEADER.encode("utf-32-le"), "is UTF-32: save it as UTF-8"),
        (HEADER.encode("utf-32-be"), "is UTF-32: save it as UTF-8"),
        (
            gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
            "is compressed with gzip twice: unpack it once",
        ),
        (gzip.compress(ARCHIVE, mtime=0), "is a tar archive: unpack it"),
        (bz2.compress(b"x"), "is compressed with bzip2: unpack it"),
        (lzma.compress(b"x"), "is compressed with xz: unpack it"),
        (b"\x28\xb5\x2f\xfd\x04", "is compressed with zstd: unpack it"),
        (b"7z\xbc\xaf\x27\x1c\0", "is a 7-Zip archive: unpack it"),
        (b"PK\x03\x04\x14", r"is a ZIP file, such as a spreadsheet \(\.xlsx, \.ods\): save"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"such as a spreadsheet \(\.xls\): save"),
        (b"SQLite format 3\0\x10", "is an SQLite database, such as a journal: name the file"),
        (f"{HEADER}\rv1\r".encode(), r"ends its lines with U\+000D \(carriage return\) alone"),
        (b'{"videoId": 1}\r{"videoId": 2}\r', r"ends its lines with U\+000D"),
    ],
    # Not the data in the ids: gzip puts the time of day into them.
    ids=range(17),
)
def test_a_file_of_another_kind_is_named(file: Path, data: bytes, problem: str) -> None:
    file.write_bytes(data)
    with opened(file) as source, pytest.raises(CliError, match=f"^{file} .*{problem}"):
        list(source.lines())


@pytest.mark.parametrize(
    "data", [f"{HEADER}\r\nv1\r\n".encode(), f"{HEADER}\r".encode(), b"x" * 4095 + b"\r\n", b""]
)
def test_line_breaks_of_windows_and_files_without_any_are_read(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with opened(file) as source:
        assert b"".join(source.lines()) == data
