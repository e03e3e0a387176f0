"""Progress lines of long programs, on standard error."""

import sys

_CLEAR = "\r\x1b[K"


def log(line: str) -> None:
    """Print a line about a finished step."""
    print(f"{_CLEAR if sys.stderr.isatty() else ''}{line}", file=sys.stderr, flush=True)


def update(line: str) -> None:
    """Replace the current line on a terminal; does nothing in a log."""
    if sys.stderr.isatty():
        print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
