"""Private: the file that a run writes its outcomes to, or standard output."""

import contextlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import Final

from restream_async._journal.journal import Journal
from restream_async.cli.errors import CliError, system_reason
from restream_async.cli.file_roles import FileRole, exists

_STDOUT: Final = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_LONGEST_LINE: Final = 1024 * 1024
_META: Final = "outputs"
"""The key under which a journal keeps the names of the files with its runs' outcomes."""


class OutcomeFile:
    """A file for the outcomes, or standard output.

    Attributes:
        name: its name in messages.
        only_failures: whether a terminal shows the outcomes because the user named no output. Then
            only failures are shown.

    """

    def __init__(self, path: Path | None, *, force: bool) -> None:
        """Name a file, or standard output by None, `-` or its path; open nothing.

        Args:
            path: the file.
            force: whether an existing file may be overwritten.

        """
        self._path = None if path is None or str(path) in _STDOUT else path
        self._force = force
        self.only_failures = path is None and sys.stdout.isatty()
        self.name = "standard output" if self._path is None else str(self._path)

    @property
    def role(self) -> FileRole:
        """The file, to be compared with others."""
        if self._path is None:
            return FileRole.of_status(self.name, os.fstat(sys.stdout.fileno()))
        return FileRole.of_path(f"the output {self.name}", self._path)

    def leads_to(self, descriptor: int) -> bool:
        """Return whether an open descriptor writes to the same file, such as the same terminal."""
        if self._path is None:
            return os.path.sameopenfile(sys.stdout.fileno(), descriptor)
        return exists(self._path) and os.path.samestat(self._path.stat(), os.fstat(descriptor))

    def refuse_to_overwrite(self) -> None:
        """Check that the file may be written.

        Raises:
            CliError: it exists, and `force` is false.

        """
        if self._path is not None and not self._force and _is_file(self._path):
            raise CliError(
                f"{self._path} exists already: pass --force to overwrite it, or name another file"
            )

    async def open(self, stack: contextlib.AsyncExitStack, journal: Journal | None) -> int:
        """Open the file, readable by its owner alone, and return the descriptor.

        A resumed run reports all outcomes again, so it may overwrite the file that an earlier run
        with the same journal has written.

        Args:
            stack: closes the file.
            journal: the run's journal, which is locked, or None.

        Raises:
            CliError: the file may not be overwritten, another run is writing it, or it cannot be
                written.

        """
        path = self._path
        if path is None:
            return sys.stdout.fileno()
        known: list[str] = json.loads((journal and journal.meta(_META)) or "[]")
        resolved = str(path.resolve())
        if not (resolved in known and _holds_outcomes(path)):
            self.refuse_to_overwrite()
        if journal is not None and resolved not in known:
            await journal.set_meta(_META, json.dumps([*known, resolved]))
        # Without O_EXCL for a device or a pipe, which exists.
        exclusive = 0 if self._force or exists(path) else os.O_EXCL
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | exclusive, 0o600)
        except OSError as error:
            raise CliError(f"cannot write {path}: {system_reason(error)}") from None
        stack.callback(os.close, descriptor)
        if _is_file(path):
            # Truncated only under the lock: another run may be writing it.
            if not _lock(descriptor):
                raise CliError(
                    f"{path} is being written by another run: wait until that run has ended, or "
                    "name another file"
                )
            os.ftruncate(descriptor, 0)
        return descriptor


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed; return false if another process has locked it."""
    try:
        import fcntl  # noqa: PLC0415 - missing on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        """Some systems and network drives have no locks."""
    return True


def _holds_outcomes(path: Path) -> bool:
    """Return whether a file is empty, or begins with an outcome."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
        return not line or {"line", "index", "outcome"} <= json.loads(line).keys()
    except (OSError, ValueError, AttributeError):
        return False
