"""Private: an input that is read twice: a file, or a copy of standard input or of a pipe.

The first reading checks every line, the second one sends. Neither keeps lines, so memory does not
grow with the input. A digest of each block of lines shows whether the second reading finds the same
lines as the first. A file that is compressed with gzip is unpacked while it is read.
"""

import gzip
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from rich.console import Console

from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.file_roles import FileRole
from restream_async.cli.input.formats import ENDINGS, Format
from restream_async.cli.input.unreadable_files import GZIP, why_unreadable
from restream_async.cli.output.console import say

STDIN: Final = "-"

_LONGEST_LINE: Final = 1024 * 1024
_START: Final = 4096
_LINES_IN_BLOCK: Final = 1000
_BYTES_IN_BLOCK: Final = 1024 * 1024
# Names of open descriptors. A journal cannot be kept beside them.
_DESCRIPTOR: Final = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/[^/]+/fd/\d+")
# Errors of reading; the last two mean that gzip data are cut off or damaged.
_FAILURES: Final = (OSError, EOFError, zlib.error)


class InputSource(AbstractContextManager["InputSource"]):
    """An input that can be read twice.

    Attributes:
        name: its name in messages.

    """

    _status: os.stat_result

    def __init__(self, where: str, console: Console) -> None:
        """Name a file, or standard input by `-`; open nothing.

        If the input comes from a terminal, `console` shows how to end it.
        """
        self._console = console
        self.name = "standard input" if where == STDIN else where
        self._where = where
        self._file: BinaryIO | None = None
        self._closing = ExitStack()
        self._digests: list[bytes] = []

    def __enter__(self) -> Self:
        """Open the input. Copy it to an unnamed private file unless it is a regular file.

        Raises:
            CliError: it cannot be read.

        """
        try:
            self._file = self._unpacked(self._closing.enter_context(self._open()))
        except OSError as error:
            self._closing.close()
            raise CliError(f"cannot read {self.name}: {system_reason(error)}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the input, and delete its copy."""
        self._closing.close()

    @property
    def role(self) -> FileRole:
        """The file, to be compared with others, even if it was copied."""
        name = self.name if self._where == STDIN else f"the input {self.name}"
        return FileRole.of_status(name, self._status)

    @property
    def default_journal(self) -> Path | None:
        """The path of its journal, beside it; None unless the input is a regular file."""
        if self._where == STDIN or _DESCRIPTOR.fullmatch(str(Path(self._where).absolute())):
            return None
        return Path(f"{self._where}.journal") if stat.S_ISREG(self._status.st_mode) else None

    @property
    def format_by_ending(self) -> Format | None:
        """The format that the file extension names, or None."""
        path = Path(self._where)
        ending = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
        return ENDINGS.get(ending.lower())

    def guess_format(self) -> Format:
        """Return the format, by the file extension or else by the first character.

        Raises:
            CliError: it cannot be read.

        """
        known = self.format_by_ending
        if known is not None:
            return known
        start = self._start().removeprefix(BOM_UTF8).lstrip()
        return "jsonl" if start.startswith((b"{", b"[")) else "csv"

    def lines(self) -> Iterator[bytes]:
        """Yield all lines, and store their digests.

        Raises:
            CliError: the input cannot be read, is not text, or has a line that is too long.

        """
        if problem := why_unreadable(self._start()):
            raise CliError(f"{self.name} {problem}")
        self._digests.clear()
        for block in self._blocks():
            self._digests.append(_digest(block))
            yield from block

    def lines_again(self) -> Iterator[bytes]:
        """Yield all lines again.

        Raises:
            CliError: a line has changed; neither it nor a later line is yielded.

        """
        line = 1
        expected = iter(self._digests)
        for block in self._blocks():
            if _digest(block) != next(expected, None):
                raise self._changed(line)
            yield from block
            line += len(block)
        if next(expected, None) is not None:
            raise self._changed(line)

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("the source is not open")
        return self._file

    def _open(self) -> BinaryIO:
        if self._where == STDIN:
            if sys.stdin.isatty():
                say(self._console, "Reading from the terminal; end the input with Ctrl-D.")
            self._status = os.fstat(0)
            return _copied(sys.stdin.buffer)
        file = Path(self._where).open("rb")  # noqa: SIM115 - closed in __exit__
        self._status = os.fstat(file.fileno())
        if stat.S_ISREG(self._status.st_mode):
            return file
        with file:
            return _copied(file)

    def _unpacked(self, file: BinaryIO) -> BinaryIO:
        start = file.read(len(GZIP))
        file.seek(0)
        if start != GZIP:
            return file
        return cast("BinaryIO", self._closing.enter_context(gzip.GzipFile(fileobj=file)))

    def _start(self) -> bytes:
        self._opened.seek(0)
        try:
            return self._opened.read(_START)
        except _FAILURES as error:
            raise self._unreadable(error) from None

    def _blocks(self) -> Iterator[list[bytes]]:
        self._opened.seek(0)
        block: list[bytes] = []
        size = 0
        for line in self._raw_lines():
            block.append(line)
            size += len(line)
            if len(block) == _LINES_IN_BLOCK or size >= _BYTES_IN_BLOCK:
                yield block
                block, size = [], 0
        if block:
            yield block

    def _raw_lines(self) -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            try:
                line = self._opened.readline(_LONGEST_LINE + 1)
            except _FAILURES as error:
                raise self._unreadable(error, f" at line {number:,}") from None
            if len(line) > _LONGEST_LINE:
                raise CliError(
                    f"line {number:,} of {self.name} is longer than {_LONGEST_LINE:,} bytes, too "
                    "long for a restream: is it the right file?"
                )
            if not line:
                return
            yield line

    def _unreadable(self, error: OSError | EOFError | zlib.error, place: str = "") -> CliError:
        if isinstance(error, EOFError):
            problem = "the file is incomplete: its gzip data end in the middle"
        elif isinstance(error, gzip.BadGzipFile | zlib.error):
            problem = "its gzip data are damaged"
        else:
            problem = system_reason(error)
        return CliError(f"cannot read {self.name}{place}: {problem}")

    def _changed(self, line: int) -> CliError:
        return CliError(
            f"{self.name} changed while it was being sent: nothing from line {line:,} on was sent"
        )


def _copied(stream: BinaryIO) -> BinaryIO:
    # Unnamed and readable by its owner alone, because it contains stream keys.
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the source
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


def _digest(lines: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        digest.update(line)
    return digest.digest()
