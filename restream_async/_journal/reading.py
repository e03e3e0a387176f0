"""Private: reads a journal without changing it: no new run is begun, and no file is written.

To read what a killed run has left, SQLite writes files beside the database. So such a journal is
copied first.
"""

import os
import shutil
import sqlite3
import tempfile
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from restream_async._journal.entries import Identity, State
from restream_async._journal.errors import IN_USE, explained
from restream_async._journal.identity import JournalMeta
from restream_async.errors import JournalError

_STATES: Final = """
SELECT fingerprint, state FROM creation WHERE fingerprint BETWEEN ? AND ?
ORDER BY fingerprint, occurrence
"""
# Start and length of what SQLite locks in a database that it reads or writes: the shared range of
# "the lock-byte page" in https://www.sqlite.org/fileformat2.html.
_SHARED_RANGE: Final = (0x40000002, 510)


class JournalReader(AbstractContextManager["JournalReader"]):
    """A journal that exists and is only read. While it is open, no run can use it.

    Its lock, like all of POSIX, is one between processes. A process that has the journal open must
    not read it so: closing the file would drop the lock of the journal.
    """

    _meta: JournalMeta

    def __init__(self, path: Path, identity: Identity) -> None:
        """Prepare; nothing is opened before the block is entered."""
        self._path = path
        self._identity = identity
        self._closing = ExitStack()
        # None if a run would begin the journal anew.
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            JournalError: it cannot be read, is in use, is damaged, or belongs to another project or
                service; the message says what to do.

        """
        if not self._path.is_file():
            raise JournalError(f"{self._path} is no file: name another journal")
        if not os.access(self._path, os.R_OK):
            raise JournalError(f"the journal {self._path} cannot be read: check its permissions")
        with ExitStack() as stack, explained(self._path):
            file = stack.enter_context(self._path.open("rb"))
            if not _lock(file):
                raise JournalError(f"the journal {self._path} {IN_USE}")
            database = stack.enter_context(closing(_connect(self._path.resolve(), file, stack)))
            self._meta = JournalMeta(database)
            if self._meta.exists(self._path) and self._meta.is_of(self._path, self._identity):
                self._database = database
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._closing.close()

    def fingerprint(self, *key: str) -> str:
        """Return the fingerprint of a creation: hexadecimal digits."""
        return self._meta.fingerprint(key)

    def states(self, start: str) -> list[tuple[str, State]]:
        """Return the creations whose fingerprints start so, each with its state.

        Equal creations follow each other in the order in which they were begun.

        Raises:
            JournalError: it is damaged.

        """
        if self._database is None:
            return []
        with explained(self._path):
            # No hexadecimal digit comes after "f".
            rows = self._database.execute(_STATES, (start, f"{start}g"))
            return [(fingerprint, State(state)) for fingerprint, state in rows]


def _lock(file: BinaryIO) -> bool:
    """Lock a database as SQLite does for reading; return false if another process has it open."""
    try:
        import fcntl  # noqa: PLC0415 - missing on Windows

        start, length = _SHARED_RANGE
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        """Some systems and network drives have no locks."""
    return True


def _connect(path: Path, file: BinaryIO, stack: ExitStack) -> sqlite3.Connection:
    """Open a database that is open as `file`, or a copy of it that `stack` deletes."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        # Immutable: SQLite needs no files beside it.
        return sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    copy = folder / "journal"
    # Opening the file a second time, and closing it, would drop the lock (POSIX).
    with copy.open("wb") as writing:
        shutil.copyfileobj(file, writing)
    shutil.copyfile(log, folder / "journal-wal")
    return sqlite3.connect(copy)
