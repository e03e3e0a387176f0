"""Private: bulk runs, from the input to the report, and their undo."""
