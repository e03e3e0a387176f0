"""Private: errors of the operating system and of SQLite, as sentences that say what to do."""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Final

from restream_async.errors import JournalError

IN_USE: Final = "is in use by another run: wait for its end, or name another journal"
FORBIDDEN: Final = "cannot be written: check its permissions, and those of its folder"
_DAMAGED: Final = (
    "is damaged: move it away and run again with ensure=True, which checks whether each restream "
    "exists before creating it"
)
_MAGIC: Final = b"SQLite format 3\0"


@contextlib.contextmanager
def explained(path: Path) -> Generator[None]:
    """Raise `JournalError` in place of the errors of the block."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}): check its folder and its permissions"
    except sqlite3.Error as error:
        if _is_no_database(error, path):
            raise JournalError(f"{path} is not a journal: name another journal") from None
        problem = _explain(error)
    except (ValueError, TypeError):
        # The file holds values that no run has written.
        problem = _DAMAGED
    else:
        return
    # contextlib throws the error into this block, so leaving the handler is not enough.
    raise JournalError(f"the journal {path} {problem}") from None


def _is_no_database(error: sqlite3.Error, path: Path) -> bool:
    if _code(error) != sqlite3.SQLITE_NOTADB:
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) != _MAGIC


def _code(error: sqlite3.Error) -> int:
    # Python's own errors have none.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _explain(error: sqlite3.Error) -> str:
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return IN_USE
        case sqlite3.SQLITE_FULL:
            return "is on a disk that is full: make room and run again, nothing is lost"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return FORBIDDEN
        # The statements are correct. If SQLite (or Python, which gives no code) refuses one, the
        # file does not hold what earlier statements wrote.
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR | 0:
            return _DAMAGED
        case _:
            return f"cannot be used any more ({error}): run again to resume, nothing is lost"
