"""Private: the files of a journal, which only their owner can read."""

import contextlib
import os
import stat
from pathlib import Path

from restream_async._journal.errors import FORBIDDEN
from restream_async.errors import JournalError


def create_private(path: Path) -> None:
    """Create the file if there is none, before SQLite opens it.

    SQLite gives the files beside it the same mode.
    """
    # Only a new file may be opened here. Closing one that is open as a journal would drop that
    # journal's lock (POSIX).
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not stat.S_ISREG(path.stat().st_mode):
            raise JournalError(f"{path} is no file: name another journal") from None
        # SQLite would open it for reading, and fail at its locks with an obscure error.
        if not os.access(path, os.R_OK | os.W_OK):
            raise JournalError(f"the journal {path} {FORBIDDEN}") from None


def make_private(path: Path) -> None:
    """Take the files of a journal away from other users."""
    for name in (path, Path(f"{path.resolve()}-wal")):
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(name.stat().st_mode)
            if mode & 0o077:
                name.chmod(mode & 0o700)
