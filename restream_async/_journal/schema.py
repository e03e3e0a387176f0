"""Private: the tables of a journal, and the name of its format. `Row` has the same columns."""

from typing import Final

FORMAT: Final = "restream-async journal 2"
"""Another number for another form: a journal of another format is refused."""

META: Final = "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
CREATION: Final = """
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
) WITHOUT ROWID
"""
