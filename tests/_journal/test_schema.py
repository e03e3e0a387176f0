"""The tables of a journal, and the rows that are read from them, have the same form."""

import contextlib
import sqlite3

from restream_async._journal import schema
from restream_async._journal.rows import Row


def test_a_row_has_the_columns_of_its_table_in_their_order() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(schema.CREATION)
        columns = database.execute("SELECT name FROM pragma_table_info('creation')").fetchall()

    assert tuple(name for (name,) in columns) == Row._fields
