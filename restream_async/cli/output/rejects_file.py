"""Private: the file that gets the lines of an input which failed, as they are in the input."""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.file_roles import FileRole, exists, refuse_unwritable_folder


class RejectsFile(AbstractContextManager["RejectsFile"]):
    """A file that only its owner can read, because it holds stream keys.

    It is created with the first line that failed.

    Attributes:
        path: the file, or None if the user wants none. Then nothing is written.
        count: how many records were written.

    """

    def __init__(self, path: Path | None = None, *, force: bool = False) -> None:
        """Name a file; open nothing.

        Args:
            path: the file.
            force: whether an existing file may be replaced.

        """
        self.path = path
        self.count = 0
        self._force = force
        self._file: BinaryIO | None = None
        self._error: OSError | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._try(self._close)

    @property
    def roles(self) -> list[FileRole]:
        """The file, to be compared with others, if there is one."""
        path = self.path
        return [] if path is None else [FileRole.of_path(f"the rejects {path}", path)]

    def check(self) -> None:
        """Check that the file can be created.

        Raises:
            CliError: it exists and `force` is false, it is no regular file, or its folder cannot be
                written.

        """
        path = self.path
        if path is None:
            return
        if str(path) == "-":
            raise CliError("--rejects needs a file, not a standard stream: name a file")
        if exists(path):
            if not path.is_file():
                raise CliError(f"{path} is no file: name another file for --rejects")
            if not self._force:
                raise CliError(
                    f"{path} exists already: pass --force to overwrite it, or name another file "
                    "for --rejects"
                )
        refuse_unwritable_folder(path)

    def write(self, header: bytes, record: Iterable[bytes]) -> None:
        """Write the lines of a record, after the header of the input if it is the first one.

        If they cannot be written, `finish` says so.
        """
        if self.path is not None:
            self._try(lambda: self._write(header, record))

    def finish(self) -> str:
        """Write what is left; if nothing has failed, delete the file of an earlier command.

        Returns:
            Why lines are missing in the file, or an empty text.

        """
        if not self.count and self._force:
            self._try(self._delete_old)
        self._try(self._close)
        if self._error is None:
            return ""
        return f"the rejects {self.path} could not be written: {system_reason(self._error)}"

    def _try(self, action: Callable[[], None]) -> None:
        """Keep the first error, after which nothing is written."""
        if self._error is None:
            try:
                action()
            except OSError as error:
                self._error = error

    def _write(self, header: bytes, record: Iterable[bytes]) -> None:
        if self._file is None:
            self._file = self._created()
            self._file.write(header)
        self._file.writelines(record)
        self.count += 1

    def _created(self) -> BinaryIO:
        # Not truncated: it may be a link, or others may be allowed to read it.
        if self._force:
            self._delete_old()
        path = os.fspath(self.path or "")
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def _delete_old(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
