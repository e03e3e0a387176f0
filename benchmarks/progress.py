"""What a long program says meanwhile, beside its results."""

import sys


def say(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)
