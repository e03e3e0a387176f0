"""Private: reads and writes the rows of the table `creation`.

Each statement that Python runs, and each row that it reads, releases the interpreter and must get
it back from a busy event loop, which takes up to 5 ms. So a few statements read and write many
rows, and all rows that one reads come as one value.
"""

import functools
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")

_READ: Final = """
SELECT json_group_array(
    json_array(fingerprint, occurrence, run, state, restream_id, absent_before, title, status)
) FROM (
    SELECT * FROM creation WHERE fingerprint IN ({}) ORDER BY fingerprint, occurrence
)
"""
_WRITE: Final = "INSERT OR REPLACE INTO creation VALUES {}"
# Binding NULL is slow, and most rows are new.
_ROW: Final = "(?, ?, ?, ?, nullif(?, ''), nullif(?, -1), nullif(?, ''), nullif(?, -1))"
VARIABLES_OF_A_ROW: Final = _ROW.count("?")
_NEW_ROW: Final = "(?, 0, {}, '{}', NULL, NULL, NULL, NULL)"

# Rows that one statement writes or reads, if SQLite takes as many variables. Few builds take less
# than 32,766, but before 3.32 it was 999.
_LARGEST_PIECE: Final = 256


class Row(NamedTuple):
    """A row of `creation`, with the restream id as the service sent it."""

    fingerprint: str
    occurrence: int
    run: int
    state: str
    restream_id: int | str | None = None
    absent_before: bool | None = None
    title: str | None = None
    status: bool | None = None


_ID: Final = Row._fields.index("restream_id")


class Rows:
    """The table `creation` of an open database."""

    def __init__(self, database: sqlite3.Connection, variables: int) -> None:
        """Use statements of up to `variables` variables."""
        self._database = database
        self._variables = variables

    def read(self, fingerprints: Sequence[str]) -> defaultdict[str, dict[int, Row]]:
        """Return the rows of creations, by fingerprint and occurrence."""
        rows: defaultdict[str, dict[int, Row]] = defaultdict(dict)
        for piece in _pieces(fingerprints, self._variables):
            query = _READ.format(_list("?", len(piece)))
            (found,) = self._database.execute(query, piece).fetchone()
            for fields in json.loads(found):
                row = Row(*fields)
                if isinstance(row.restream_id, str):
                    row = row._replace(restream_id=json.loads(row.restream_id))
                rows[row.fingerprint][row.occurrence] = row
        return rows

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows, in place of those with the same fingerprint and occurrence."""
        values = [
            (
                *row[:_ID],
                _json_of(row.restream_id),
                -1 if row.absent_before is None else row.absent_before,
                _encodable(row.title or ""),
                -1 if row.status is None else row.status,
            )
            for row in rows
        ]
        for piece in _pieces(values, self._variables // VARIABLES_OF_A_ROW):
            statement = _WRITE.format(_list(_ROW, len(piece)))
            self._database.execute(statement, list(chain.from_iterable(piece)))

    def write_new(self, fingerprints: Sequence[str], run: int, state: str) -> None:
        """Write rows of creations that have none."""
        row = _NEW_ROW.format(run, state)
        for piece in _pieces(fingerprints, self._variables):
            self._database.execute(_WRITE.format(_list(row, len(piece))), piece)


def _json_of(restream_id: int | str | None) -> str:
    # JSON tells numbers and texts apart, and numbers may have any size.
    if isinstance(restream_id, str):
        return json.dumps(restream_id)
    return "" if restream_id is None else str(restream_id)


def _encodable(text: str) -> str:
    # A service may send half a surrogate pair, which no text in a database can hold.
    return text if text.isascii() else text.encode(errors="replace").decode()


def _pieces(items: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    """Cut into pieces of few different sizes, whose statements SQLite prepares once.

    The last item is repeated if a piece is too short, which changes nothing.

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
