"""The journal's file: SQLite, as the one thread that touches it sees it."""

import asyncio
import contextlib
import functools
import hashlib
import json
import os
import sqlite3
import stat
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import attrs

from restream_async._journal.entries import BEGUN, DONE, Batch, Begin, Entry, Identity, State
from restream_async.errors import JournalError

_T = TypeVar("_T")

_FORMAT: Final = "restream-async journal 2"
_PAGE: Final = 500
_MAGIC: Final = b"SQLite format 3\0"
# Rows that one statement writes or reads, where SQLite takes as many variables. Few builds take
# less than 32,766, but before 3.32 it was 999.
_LARGEST_PIECE: Final = 256
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE creation (
    fingerprint TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    restream_id TEXT,
    absent_before INTEGER,
    title TEXT,
    status INTEGER,
    PRIMARY KEY (fingerprint, occurrence)
) WITHOUT ROWID;
"""
_MET: Final = """
SELECT json_group_array(
    json_array(fingerprint, occurrence, run, state, restream_id, absent_before, title, status)
) FROM (
    SELECT * FROM creation WHERE fingerprint IN ({}) ORDER BY fingerprint, occurrence
)
"""
# Binding NULL is slow, and most rows are new.
_PUT: Final = "INSERT OR REPLACE INTO creation VALUES {}"
_PUT_ROW: Final = "(?, ?, ?, ?, nullif(?, ''), nullif(?, -1), nullif(?, ''), nullif(?, -1))"
_PUT_VARIABLES: Final = _PUT_ROW.count("?")
_NEW_ROW: Final = "(?, 0, {}, '{}', NULL, NULL, NULL, NULL)"
# What a build of SQLite may lack, or Python may have been told to leave out.
_NEEDED: Final = "SELECT json_group_array(json_array(1)) WHERE (1, 1) > (0, 1)"


class _Row(NamedTuple):
    """A row of `creation`, the restream id as the service sent it."""

    fingerprint: str
    occurrence: int
    run: int
    state: str
    restream_id: int | str | None = None
    absent_before: bool | None = None
    title: str | None = None
    status: bool | None = None


_FORBIDDEN: Final = "cannot be written: check its permissions, and those of its folder"
_DAMAGED: Final = (
    "is damaged: move it away and run again with ensure=True, which checks whether each restream "
    "exists before creating it"
)
_ID: Final = _Row._fields.index("restream_id")
_INTENDED: Final = State.INTENDED.value
_FAILED: Final = State.FAILED.value
# What becomes of one that is done while it is checked again.
_CHECKING: Final = {State.CREATED: State.RECHECKED, State.FOUND: State.INTENDED}
_NEW: Final = Entry(state=None, this_run=False, restream_id=None, occurrence=0)


class Database:
    """The file, open. Its methods raise `JournalError` with a sentence that says what to do."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        """Work on an open database."""
        self._path = path
        self._database = database
        self._variables = database.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._run = 0
        self.meta: dict[str, Any] = {}
        """What is known of the journal as a whole, by name."""
        self._hash = hashlib.blake2b(digest_size=16)

    @classmethod
    def open(cls, path: Path, identity: Identity) -> "Database":
        """Open the file, or create it."""
        with _explained(path):
            _create_private(path)
            # A path, whatever it is called: SQLite has another idea of ":memory:".
            database = sqlite3.connect(path.absolute(), timeout=0.2, isolation_level=None)
        store = cls(path, database)
        try:
            store.check_build()
            with _explained(path):
                store.prepare(identity)
        except BaseException:
            database.close()
            raise
        return store

    def prepare(self, identity: Identity) -> None:
        """Take the file for this run alone, and check whose it is."""
        execute = self._database.execute
        # Held from the first write to the end: a second process is refused.
        execute("PRAGMA locking_mode=EXCLUSIVE")
        tables = {name for (name,) in execute("SELECT name FROM sqlite_master")}
        if tables and not {"meta", "creation"} <= tables:
            # Somebody else's: left as it was.
            raise JournalError(
                f"{self._path} is an SQLite file, but no journal: name another journal"
            )
        _make_private(self._path)
        execute("PRAGMA journal_mode=WAL")
        # A commit has reached the disk, not only the operating system.
        execute("PRAGMA synchronous=FULL")
        with self._transaction():
            if not tables:
                for statement in _SCHEMA.strip().split(";"):
                    execute(statement)
                self._found(identity)
            self._check(identity)
            execute("UPDATE meta SET value = value + 1 WHERE name = 'run'")
            (self._run,) = execute("SELECT value FROM meta WHERE name = 'run'").fetchone()

    def check_build(self) -> None:
        """Refuse a build of SQLite that cannot do what is needed: it would look like damage."""
        problem = ""
        if self._variables < _PUT_VARIABLES:
            problem = f"it takes only {self._variables} variables in a statement"
        # Not on the file, which may have something wrong of its own.
        with contextlib.closing(sqlite3.connect(":memory:")) as memory:
            try:
                memory.execute(_NEEDED)
            except sqlite3.Error as error:
                problem = str(error)
        if problem:
            raise JournalError(
                f"SQLite {sqlite3.sqlite_version} of this Python cannot keep a journal "
                f"({problem}): use another build of Python, or run without a journal"
            )

    def fingerprint(self, key: Sequence[str]) -> str:
        """Return what a creation is known by."""
        known = self._hash.copy()
        # No text of a restream has a control character in it, so no two keys come out the same.
        known.update("\n".join(key).encode(errors="surrogatepass"))
        return known.hexdigest()

    def commit(self, batch: Batch) -> list[tuple[asyncio.Future[Any], Any]]:
        """Do all of `batch` in one transaction; return each who waits with the answer."""
        with _explained(self._path), self._transaction():
            self._put(
                [_Row(end[0], end[1], self._run, end[2].value, *end[3:]) for end in batch.ends]
            )
            self._clear_doubts(batch.cleared)
            replies = self._begin(batch.begins)
            replies += [(reply, question(self)) for question, reply in batch.questions]
        return replies

    def _begin(self, begins: Sequence[Begin]) -> list[tuple[asyncio.Future[Any], Any]]:
        met = self._met([fingerprint for some, *_ in begins for fingerprint in some])
        new: list[str] = []
        known: list[_Row] = []
        replies: list[tuple[asyncio.Future[Any], Any]] = []
        for some, repeat, recheck, reply in begins:
            entries: list[Entry] = []
            for fingerprint in some:
                rows = met[fingerprint]
                row: _Row
                if rows:
                    entry = self._entry(rows, repeat=repeat)
                    row = self._row(fingerprint, entry, recheck=recheck and not entry.this_run)
                    known.append(row)
                else:
                    entry, row = _NEW, _Row(fingerprint, 0, self._run, _INTENDED)
                    new.append(fingerprint)
                rows[entry.occurrence] = row
                entries.append(entry)
            replies.append((reply, entries))
        new_row = _NEW_ROW.format(self._run, _INTENDED)
        for piece in _pieces(new, self._variables):
            self._database.execute(_PUT.format(_list(new_row, len(piece))), piece)
        self._put(known)
        return replies

    def _entry(self, rows: dict[int, _Row], *, repeat: bool) -> Entry:
        free = [row for row in rows.values() if row.run < self._run]
        if repeat and not free:
            return attrs.evolve(_NEW, occurrence=len(rows), others=_ids(rows.values()))
        row = free[0] if free else rows[0]
        return Entry(
            state=State(row.state),
            this_run=row.run == self._run,
            restream_id=row.restream_id,
            occurrence=row.occurrence,
            title=row.title,
            status=_flag(row.status),
            absent_before=_flag(row.absent_before),
            others=_ids(other for other in rows.values() if other is not row),
        )

    def _row(self, fingerprint: str, entry: Entry, *, recheck: bool) -> _Row:
        known = entry.state
        if known is None or known not in DONE | BEGUN:
            return _Row(fingerprint, entry.occurrence, self._run, _INTENDED)
        # Of one that is done or begun, only that this run has met it is noted.
        state = _CHECKING.get(known, known) if recheck else known
        return _Row(
            fingerprint,
            entry.occurrence,
            self._run,
            state.value,
            entry.restream_id,
            entry.absent_before,
            entry.title,
            entry.status,
        )

    # Each statement that Python runs gives the interpreter away and must win it back from a busy
    # event loop, which takes up to 5 ms; and so does each row that is read. So what many rows need
    # is done by few statements, and what they say is read as one value.

    def _met(self, fingerprints: Sequence[str]) -> defaultdict[str, dict[int, _Row]]:
        met: defaultdict[str, dict[int, _Row]] = defaultdict(dict)
        for some in _pieces(fingerprints, self._variables):
            query = _MET.format(_list("?", len(some)))
            (found,) = self._database.execute(query, some).fetchone()
            for fields in json.loads(found):
                row = _Row(*fields)
                if isinstance(row.restream_id, str):
                    row = row._replace(restream_id=json.loads(row.restream_id))
                met[row.fingerprint][row.occurrence] = row
        return met

    def _put(self, rows: Sequence[_Row]) -> None:
        values = [
            (
                *row[:_ID],
                _text(row.restream_id),
                -1 if row.absent_before is None else row.absent_before,
                _encodable(row.title or ""),
                -1 if row.status is None else row.status,
            )
            for row in rows
        ]
        for piece in _pieces(values, self._variables // _PUT_VARIABLES):
            statement = _PUT.format(_list(_PUT_ROW, len(piece)))
            self._database.execute(statement, list(chain.from_iterable(piece)))

    def _clear_doubts(self, cleared: Sequence[tuple[str, int]]) -> None:
        self._database.executemany(
            "UPDATE creation SET absent_before = NULL WHERE fingerprint = ? AND occurrence = ?",
            cleared,
        )

    def count(self, state: State) -> int:
        """Return how many creations are in a state."""
        query = "SELECT count(*) FROM creation WHERE state = ?"
        (number,) = self._database.execute(query, (state.value,)).fetchone()
        return int(number)

    def page(self, state: State, after: tuple[str, int]) -> list[tuple[str, int, int | str]]:
        """Return the next creations in a state that have an id."""
        rows = self._database.execute(
            "SELECT fingerprint, occurrence, restream_id FROM creation"
            " WHERE state = ? AND restream_id IS NOT NULL AND (fingerprint, occurrence) > (?, ?)"
            " ORDER BY fingerprint, occurrence LIMIT ?",
            (state.value, *after, _PAGE),
        )
        return [
            (fingerprint, occurrence, json.loads(known)) for fingerprint, occurrence, known in rows
        ]

    def set_meta(self, name: str, value: str) -> None:
        """Remember a text for the journal as a whole."""
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        self.meta[name] = value

    def close(self) -> None:
        """Close the file."""
        with _explained(self._path):
            self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors, such as a full disk.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _found(self, identity: Identity) -> None:
        salt = os.urandom(16)
        meta = {
            "format": _FORMAT,
            "base_url": identity.base_url,
            "project_id": identity.project_id,
            "salt": salt,
            "check": _key_check(_key(identity, salt)),
            "run": 0,
        }
        self._database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    def _check(self, identity: Identity) -> None:
        execute = self._database.execute
        self.meta = dict(execute("SELECT name, value FROM meta"))
        if self.meta.get("format") != _FORMAT:
            raise JournalError(
                f"{self._path} was written by another version of restream-async: finish its run "
                "with that one, or name a new journal"
            )
        difference = self._difference(identity)
        if difference:
            if execute("SELECT 1 FROM creation WHERE state != ?", (_FAILED,)).fetchone():
                raise JournalError(f"{self._path} {difference}")
            # Nothing was done, as with a wrong key or address: the right one begins anew.
            execute("DELETE FROM creation")
            self._found(identity)
            self.meta = dict(execute("SELECT name, value FROM meta"))
        key = _key(identity, self.meta["salt"])
        self._hash = hashlib.blake2b(key=key, digest_size=16)

    def _difference(self, identity: Identity) -> str:
        """Return whose journal it is instead, and what to do; empty if it is that of `identity`."""
        for name in ("base_url", "project_id"):
            known, given = self.meta.get(name), getattr(identity, name)
            if known != given:
                return f"belongs to {name} {known!r}, not to {given!r}: name another journal"
        if self.meta.get("check") != _key_check(_key(identity, self.meta.get("salt", b""))):
            return (
                "was begun with another API key, which its fingerprints need: use that key to "
                "resume it, or name another journal"
            )
        return ""


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _text(restream_id: int | str | None) -> str:
    # As JSON, to be told apart and of any size.
    if isinstance(restream_id, str):
        return json.dumps(restream_id)
    return "" if restream_id is None else str(restream_id)


def _encodable(text: str) -> str:
    # A service may send half a surrogate pair, which no text in a database can hold.
    return text if text.isascii() else text.encode(errors="replace").decode()


def _pieces(items: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    """Cut into pieces of few different sizes, whose statements SQLite prepares once.

    The last item is repeated where a piece is too short, which changes nothing.

    Args:
        items: what to cut.
        most: how many items a statement can take.

    """
    # A power of two, like all sizes below.
    largest = 1 << (min(_LARGEST_PIECE, most).bit_length() - 1)
    for start in range(0, len(items), largest):
        piece = items[start : start + largest]
        size = 1 << (len(piece) - 1).bit_length()
        yield [*piece, *[piece[-1]] * (size - len(piece))]


@functools.cache
def _list(element: str, count: int) -> str:
    return ", ".join([element] * count)


def _key(identity: Identity, salt: bytes) -> bytes:
    return hashlib.blake2b(identity.api_key.encode(), key=salt, digest_size=32).digest()


def _key_check(key: bytes) -> bytes:
    return hashlib.blake2b(b"check", key=key, digest_size=16).digest()


def _ids(rows: Iterable[_Row]) -> tuple[int | str, ...]:
    return tuple(known for row in rows if (known := row.restream_id) is not None)


def _create_private(path: Path) -> None:
    # Before SQLite sees it: its side files take on the mode of the main one. Only a new file may
    # be opened here: closing one that is open as a journal would drop that one's lock (POSIX).
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not stat.S_ISREG(path.stat().st_mode):
            raise JournalError(f"{path} is no file: name another journal") from None
        # SQLite would open it for reading, and fail at its locks in an obscure way.
        if not os.access(path, os.R_OK | os.W_OK):
            raise JournalError(f"the journal {path} {_FORBIDDEN}") from None


def _make_private(path: Path) -> None:
    for name in (path, Path(f"{path.resolve()}-wal")):
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(name.stat().st_mode)
            if mode & 0o077:
                name.chmod(mode & 0o700)


@contextlib.contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn the errors of the operating system and of SQLite into sentences."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}): check its folder and its permissions"
    except sqlite3.Error as error:
        if _is_no_database(error, path):
            raise JournalError(f"{path} is not a journal: name another journal") from None
        problem = _explain(error)
    except (ValueError, TypeError):
        # What was read is not what was ever written.
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
            return "is in use by another run: wait for its end, or name another journal"
        case sqlite3.SQLITE_FULL:
            return "is on a disk that is full: make room and run again, nothing is lost"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return _FORBIDDEN
        # The statements are right: what they (or Python, which gives no code) cannot take is not
        # what they wrote.
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR | 0:
            return _DAMAGED
        case _:
            return f"cannot be used any more ({error}): run again to resume, nothing is lost"
