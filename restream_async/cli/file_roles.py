"""Which roles the files of a command have, and that no two of them are the same file."""

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
"""What a file is known by: device and inode, or its resolved path where it does not exist yet."""


@attrs.frozen
class Role:
    """What a file is to a command.

    Attributes:
        name: what to call it.
        files: what it is known by; nothing where it is a device or a pipe, which can be shared.

    """

    name: str
    files: frozenset[Identity]

    @classmethod
    def of_path(cls, name: str, path: Path) -> "Role":
        """Return the role of a file that may not exist yet."""
        return cls(name, _known_by(path))

    @classmethod
    def of_status(cls, name: str, status: os.stat_result) -> "Role":
        """Return the role of a file that is open."""
        return cls(name, _identity(status))

    @classmethod
    def of_journal(cls, path: Path) -> "Role":
        """Return the role of a journal, with all that SQLite keeps beside it."""
        real = path.resolve()
        beside = (_known_by(real.with_name(real.name + ending)) for ending in _SIDE_FILES)
        return cls(f"the journal {path}", frozenset(itertools.chain(_known_by(path), *beside)))


def refuse_shared(*roles: Role) -> None:
    """Do nothing if each role has files of its own.

    Raises:
        CliError: two of them share one.

    """
    for one, other in itertools.combinations(roles, 2):
        if one.files & other.files:
            raise CliError(
                f"{one.name} and {other.name} are the same file, so nothing was sent: name another "
                "file for one of them"
            )


def exists(path: Path) -> bool:
    """Say whether there is such a file; of a name that no file can have, too."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _known_by(path: Path) -> frozenset[Identity]:
    try:
        return _identity(path.stat())
    except OSError:
        return frozenset([path.resolve()])


def _identity(status: os.stat_result) -> frozenset[Identity]:
    regular = stat.S_ISREG(status.st_mode)
    return frozenset([(status.st_dev, status.st_ino)] if regular else [])
