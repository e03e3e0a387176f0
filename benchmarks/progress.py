"""What a long program says meanwhile, beside its results."""

import sys

_CLEAR = "\r\x1b[K"


def say(line: str) -> None:
    """Say what is done."""
    print(f"{_CLEAR if sys.stderr.isatty() else ''}{line}", file=sys.stderr, flush=True)


def update(line: str) -> None:
    """Say how far it is, on one line; in a log, the end of each step is enough."""
    if sys.stderr.isatty():
        print(f"{_CLEAR}{line}", end="", file=sys.stderr, flush=True)
