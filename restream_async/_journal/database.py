"""Private: the journal's file: an SQLite database that one thread uses."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from restream_async._journal import schema
from restream_async._journal.entries import BEGUN, DONE, Entry, Identity, State
from restream_async._journal.errors import explained
from restream_async._journal.identity import JournalMeta
from restream_async._journal.private_files import create_private, make_private
from restream_async._journal.rows import VARIABLES_OF_A_ROW, Row, Rows
from restream_async.errors import JournalError

End: TypeAlias = tuple[str, int, State, int | str | None, bool | None, str | None, bool | None]
"""Fingerprint, occurrence, state, restream id, absent before, title and status."""
Begin: TypeAlias = tuple[Sequence[str], bool, bool, asyncio.Future[list[Entry]]]
"""Fingerprints, `repeat` and `recheck` as in `Journal.begin`, and the future of the entries."""
Question: TypeAlias = tuple[Callable[["Database"], Any], asyncio.Future[Any]]
Replies: TypeAlias = list[tuple[asyncio.Future[Any], Any]]
"""Futures, and the values that they get."""

_PAGE: Final = 500
# A build of SQLite may lack this, or Python may have been told to leave it out.
_NEEDED: Final = "SELECT json_group_array(json_array(1)) WHERE (1, 1) > (0, 1)"
# The states of creations while they are checked again.
_CHECKING: Final = {State.CREATED: State.RECHECKED, State.FOUND: State.INTENDED}
_INTENDED: Final = State.INTENDED.value
_NEW: Final = Entry(state=None, this_run=False, restream_id=None, occurrence=0)


@attrs.define
class Batch:
    """What is written in one commit: first the ends, then the beginnings, then the questions.

    Attributes:
        ends: creations that ended.
        cleared: fingerprints and occurrences of creations whose doubt is cleared.
        begins: creations that begin.
        questions: what is asked of the database.

    """

    ends: list[End] = attrs.field(factory=list[End])
    cleared: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    begins: list[Begin] = attrs.field(factory=list[Begin])
    questions: list[Question] = attrs.field(factory=list[Question])

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.ends or self.cleared or self.awaited)

    @property
    def awaited(self) -> bool:
        """Whether callers wait for the commit."""
        return bool(self.begins or self.questions)

    @property
    def futures(self) -> list[asyncio.Future[Any]]:
        """What the callers wait for."""
        return [future for *_, future in self.begins] + [future for _, future in self.questions]


class Database:
    """The file, open. Its methods raise `JournalError` with a sentence that says what to do."""

    _run: int

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        """Use an open database."""
        self._path = path
        self._database = database
        self._variables = database.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._rows = Rows(database, self._variables)
        self.owner = JournalMeta(database)

    @classmethod
    def open(cls, path: Path, identity: Identity) -> "Database":
        """Open the file, or create it."""
        with explained(path):
            create_private(path)
            # An absolute path, because SQLite treats ":memory:" otherwise.
            connection = sqlite3.connect(path.absolute(), timeout=0.2, isolation_level=None)
        database = cls(path, connection)
        try:
            database.check_build()
            with explained(path):
                database.prepare(identity)
        except BaseException:
            connection.close()
            raise
        return database

    def check_build(self) -> None:
        """Refuse a build of SQLite that lacks what is needed: it would look like damage."""
        problem = ""
        if self._variables < VARIABLES_OF_A_ROW:
            problem = f"it takes only {self._variables} variables in a statement"
        # Not on the file, which may have a problem of its own.
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

    def prepare(self, identity: Identity) -> None:
        """Lock the file for this run, and check whose it is."""
        execute = self._database.execute
        # The lock is held from the first write to the end, so that a second process is refused.
        execute("PRAGMA locking_mode=EXCLUSIVE")
        is_journal = self.owner.exists(self._path)
        make_private(self._path)
        execute("PRAGMA journal_mode=WAL")
        # A commit has reached the disk, not only the operating system.
        execute("PRAGMA synchronous=FULL")
        with self._transaction():
            if not is_journal:
                execute(schema.META)
                execute(schema.CREATION)
                self.owner.initialize(identity)
            self.owner.claim(self._path, identity)
            self._run = self.owner.begin_run()

    def commit(self, batch: Batch) -> Replies:
        """Write a batch in one transaction."""
        with explained(self._path), self._transaction():
            self._rows.write(
                [Row(end[0], end[1], self._run, end[2].value, *end[3:]) for end in batch.ends]
            )
            self._database.executemany(
                "UPDATE creation SET absent_before = NULL WHERE fingerprint = ? AND occurrence = ?",
                batch.cleared,
            )
            replies = self._begin(batch.begins)
            replies += [(future, question(self)) for question, future in batch.questions]
        return replies

    def count(self, state: State) -> int:
        """Return how many creations are in a state."""
        query = "SELECT count(*) FROM creation WHERE state = ?"
        (number,) = self._database.execute(query, (state.value,)).fetchone()
        return int(number)

    def known(self, fingerprints: Sequence[str]) -> list[Entry]:
        """Return what is known of creations, as `Journal.known` does."""
        known = self._rows.read(fingerprints)
        return [
            self._entry(known[each], repeat=False) if each in known else _NEW
            for each in fingerprints
        ]

    def page(self, state: State, after: tuple[str, int]) -> list[tuple[str, int, int | str]]:
        """Return the next creations in a state that have an id, as `Journal.page` does."""
        found = self._database.execute(
            "SELECT fingerprint, occurrence, restream_id FROM creation"
            " WHERE state = ? AND restream_id IS NOT NULL AND (fingerprint, occurrence) > (?, ?)"
            " ORDER BY fingerprint, occurrence LIMIT ?",
            (state.value, *after, _PAGE),
        )
        return [
            (fingerprint, occurrence, json.loads(restream_id))
            for fingerprint, occurrence, restream_id in found
        ]

    def close(self) -> None:
        """Close the file."""
        with explained(self._path):
            self._database.close()

    def _begin(self, begins: Sequence[Begin]) -> Replies:
        known = self._rows.read([each for fingerprints, *_ in begins for each in fingerprints])
        new: list[str] = []
        changed: list[Row] = []
        replies: Replies = []
        for fingerprints, repeat, recheck, future in begins:
            entries: list[Entry] = []
            for fingerprint in fingerprints:
                occurrences = known[fingerprint]
                if occurrences:
                    entry = self._entry(occurrences, repeat=repeat)
                    row = self._begun(fingerprint, entry, recheck=recheck and not entry.this_run)
                    changed.append(row)
                else:
                    entry, row = _NEW, Row(fingerprint, 0, self._run, _INTENDED)
                    new.append(fingerprint)
                occurrences[entry.occurrence] = row
                entries.append(entry)
            replies.append((future, entries))
        self._rows.write_new(new, self._run, _INTENDED)
        self._rows.write(changed)
        return replies

    def _entry(self, occurrences: dict[int, Row], *, repeat: bool) -> Entry:
        """Return what is known of a creation that begins: the first that this run has not begun."""
        earlier = [row for row in occurrences.values() if row.run < self._run]
        if repeat and not earlier:
            others = _ids(occurrences.values())
            return attrs.evolve(_NEW, occurrence=len(occurrences), others=others)
        row = earlier[0] if earlier else occurrences[0]
        return Entry(
            state=State(row.state),
            this_run=row.run == self._run,
            restream_id=row.restream_id,
            occurrence=row.occurrence,
            title=row.title,
            status=_flag(row.status),
            absent_before=_flag(row.absent_before),
            others=_ids(other for other in occurrences.values() if other is not row),
        )

    def _begun(self, fingerprint: str, entry: Entry, *, recheck: bool) -> Row:
        """Return the row of a creation that begins."""
        state = entry.state
        if state is None or state not in DONE | BEGUN:
            return Row(fingerprint, entry.occurrence, self._run, _INTENDED)
        # The row stays, but for the number of the run.
        return Row(
            fingerprint,
            entry.occurrence,
            self._run,
            (_CHECKING.get(state, state) if recheck else state).value,
            entry.restream_id,
            entry.absent_before,
            entry.title,
            entry.status,
        )

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite itself rolls back after some errors, such as a full disk.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _ids(rows: Iterable[Row]) -> tuple[int | str, ...]:
    return tuple(row.restream_id for row in rows if row.restream_id is not None)
