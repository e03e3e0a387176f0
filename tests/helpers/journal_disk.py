"""A journal's file seen from outside, and a SQLite that does as a test tells it."""

import errno
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest


def files_of(path: Path) -> list[Path]:
    """Return the journal and the files that SQLite has put beside it."""
    return sorted(path.parent.glob(f"{path.name}*"))


def copy_of(path: Path) -> Path:
    """Copy a journal as it is on the disk at this moment, open or not: what a crash would leave."""
    folder = path.with_suffix(".copy")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in files_of(path):
        if file.is_file():
            shutil.copy(file, folder)
    return folder / path.name


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> bytes:
    """Make a file that everybody may read; return what is in it."""
    path.write_bytes(content)
    path.chmod(0o644)
    return content


def move_away(path: Path) -> None:
    path.rename(path.with_suffix(".damaged"))


def damage(path: Path, *, start: int, size: int | None = None) -> None:
    """Put garbage into a journal that is closed, up to its end where no size is given."""
    end = path.stat().st_size if size is None else start + size
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * (end - start))


def query(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask a journal that is closed, or change it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        return database.execute(sql, values).fetchall()


def states(path: Path) -> list[tuple[int, str]]:
    """Return occurrence and state of all that a journal holds now, open or not."""
    return query(copy_of(path), "SELECT occurrence, state FROM creation ORDER BY 1, 2")


Hook: TypeAlias = Callable[[str], None]


class Disk:
    """What SQLite does for the journals that are opened meanwhile."""

    def __init__(self) -> None:
        self.commits = 0
        self.synchronous: int | None = None
        self.pages: int | None = None
        self.failing: str | None = None
        self.before: Hook = lambda _: None

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - handed on
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - handed on
                disk.before(sql)
                if sql == disk.failing:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                cursor = super().execute(sql, *values)
                if sql == "COMMIT":
                    disk.commits += 1
                    (disk.synchronous,) = super().execute("PRAGMA synchronous").fetchone()
                return cursor

        database: sqlite3.Connection = _CONNECT(*args, factory=Connection, **options)
        if self.pages is not None:
            # No file of this connection grows beyond so many pages: SQLite's own full disk.
            sqlite3.Connection.execute(database, f"PRAGMA max_page_count={self.pages}")
        return database


_CONNECT: Final[Any] = sqlite3.connect


class Barrier:
    """Holds up the journal's thread at its commits."""

    def __init__(self, disk: Disk) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()
        disk.before = self._pass

    def _pass(self, sql: str) -> None:
        if sql == "COMMIT":
            self.reached.set()
            assert self.open.wait(10)


def disk_of(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(sqlite3, "connect", disk.connect)
    return disk
