"""Private: makes sure that the input, the output and the journal are different files."""

import itertools
import os
import stat
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from restream_async.cli.errors import CliError

# What SQLite keeps beside a database.
_SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")

Identity: TypeAlias = tuple[int, int] | Path
"""Identifies a file: device and inode, or its resolved path if it does not exist yet."""


@attrs.frozen
class FileRole:
    """What a file is for.

    Attributes:
        name: its name in messages.
        files: its identities; none for a device or a pipe, which may be shared.

    """

    name: str
    files: frozenset[Identity]

    @classmethod
    def of_path(cls, name: str, path: Path) -> "FileRole":
        """Return the role of a file that may not exist yet."""
        return cls(name, _identities_of_path(path))

    @classmethod
    def of_status(cls, name: str, status: os.stat_result) -> "FileRole":
        """Return the role of an open file."""
        return cls(name, _identities(status))

    @classmethod
    def of_journal(cls, path: Path) -> "FileRole":
        """Return the role of a journal, including the files that SQLite keeps beside it."""
        real = path.resolve()
        beside = (_identities_of_path(real.with_name(real.name + end)) for end in _SIDE_FILES)
        files = frozenset(itertools.chain(_identities_of_path(path), *beside))
        return cls(f"the journal {path}", files)


def refuse_shared(*roles: FileRole) -> None:
    """Check that each role has files of its own.

    Raises:
        CliError: two roles share a file.

    """
    for one, other in itertools.combinations(roles, 2):
        if one.files & other.files:
            raise CliError(
                f"{one.name} and {other.name} are the same file, so nothing was sent: name another "
                "file for one of them"
            )


def refuse_unwritable_folder(path: Path) -> None:
    """Check that files can be created in the folder of `path`.

    Raises:
        CliError: they cannot.

    """
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CliError(
            f"cannot write {path}: make sure that its folder exists and that you can write to it"
        )


def exists(path: Path) -> bool:
    """Return whether a file exists; false also for a name that no file can have."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _identities_of_path(path: Path) -> frozenset[Identity]:
    try:
        return _identities(path.stat())
    except OSError:
        return frozenset([path.resolve()])


def _identities(status: os.stat_result) -> frozenset[Identity]:
    regular = stat.S_ISREG(status.st_mode)
    return frozenset([(status.st_dev, status.st_ino)] if regular else [])
