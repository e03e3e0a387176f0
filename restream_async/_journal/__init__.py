"""Private: the journal of bulk runs, in SQLite."""
