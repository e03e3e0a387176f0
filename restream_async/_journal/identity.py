"""Private: whose journal a file is: the table `meta`, and the key of the fingerprints."""

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restream_async._journal.entries import Identity, State
from restream_async._journal.schema import FORMAT
from restream_async.errors import JournalError


class JournalMeta:
    """What is known of a journal as a whole.

    Attributes:
        meta: the values of the table `meta`, by name.

    """

    def __init__(self, database: sqlite3.Connection) -> None:
        """Use an open database."""
        self._database = database
        self._hash = hashlib.blake2b(digest_size=16)
        self.meta: dict[str, Any] = {}

    def initialize(self, identity: Identity) -> None:
        """Make the journal that of `identity`."""
        salt = os.urandom(16)
        meta = {
            "format": FORMAT,
            "base_url": identity.base_url,
            "project_id": identity.project_id,
            "salt": salt,
            "check": _check_of(_key(identity, salt)),
            "run": 0,
        }
        self._database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    def exists(self, path: Path) -> bool:
        """Return whether the database is a journal; false if it is empty.

        Raises:
            JournalError: it is another database.

        """
        tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
        if tables and not {"meta", "creation"} <= tables:
            raise JournalError(f"{path} is an SQLite file, but no journal: name another journal")
        return bool(tables)

    def claim(self, path: Path, identity: Identity) -> None:
        """Make the journal that of `identity`, unless others have created something with it.

        Raises:
            JournalError: they have, or another version of this library has written it.

        """
        if not self.is_of(path, identity):
            # Nothing was created, for example because of a wrong key or address. Begin anew.
            self._database.execute("DELETE FROM creation")
            self.initialize(identity)
            self.is_of(path, identity)

    def is_of(self, path: Path, identity: Identity) -> bool:
        """Return whether the journal is that of `identity`, and then let fingerprints be made.

        False means that it is that of others, and that nothing was created with it.

        Raises:
            JournalError: others have created something with it, or another version of this library
                has written it.

        """
        self._read_meta()
        if self.meta.get("format") != FORMAT:
            raise JournalError(
                f"{path} was written by another version of restream-async: finish its run with "
                "that one, or name a new journal"
            )
        difference = self._difference(identity)
        if difference:
            failed = (State.FAILED.value,)
            if self._database.execute("SELECT 1 FROM creation WHERE state != ?", failed).fetchone():
                raise JournalError(f"{path} {difference}")
            return False
        self._hash = hashlib.blake2b(key=_key(identity, self.meta["salt"]), digest_size=16)
        return True

    def begin_run(self) -> int:
        """Return the number of a new run."""
        execute = self._database.execute
        execute("UPDATE meta SET value = value + 1 WHERE name = 'run'")
        (run,) = execute("SELECT value FROM meta WHERE name = 'run'").fetchone()
        return int(run)

    def set_meta(self, name: str, value: str) -> None:
        """Set a text for the journal as a whole."""
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        self.meta[name] = value

    def fingerprint(self, key: Sequence[str]) -> str:
        """Return the fingerprint of a creation."""
        fingerprint = self._hash.copy()
        # No text of a restream has a control character in it, so no two keys become the same text.
        fingerprint.update("\n".join(key).encode(errors="surrogatepass"))
        return fingerprint.hexdigest()

    def _read_meta(self) -> None:
        self.meta = dict(self._database.execute("SELECT name, value FROM meta"))

    def _difference(self, identity: Identity) -> str:
        """Return whose journal it is, and what to do; empty if it is that of `identity`."""
        for name in ("base_url", "project_id"):
            known, given = self.meta.get(name), getattr(identity, name)
            if known != given:
                return (
                    f"belongs to {name} {known!r}, not to {given!r}: correct {name}, or name "
                    "another journal"
                )
        if self.meta.get("check") != _check_of(_key(identity, self.meta.get("salt", b""))):
            return (
                "was begun with another API key, which its fingerprints need: use that key to "
                "resume it, or name another journal"
            )
        return ""


def _key(identity: Identity, salt: bytes) -> bytes:
    return hashlib.blake2b(identity.api_key.encode(), key=salt, digest_size=32).digest()


def _check_of(key: bytes) -> bytes:
    return hashlib.blake2b(b"check", key=key, digest_size=16).digest()
