"""Asking before something is deleted."""

import sys

from restream_async.cli.trouble import Trouble


def agreed(question: str) -> bool:
    """Ask on the terminal; say what to pass where there is none."""
    if not sys.stdin.isatty():
        raise Trouble("there is no terminal to ask on: pass --yes")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
