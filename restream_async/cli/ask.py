"""Asking before something is deleted."""

import sys

from restream_async.cli.screen import console_on
from restream_async.cli.trouble import Trouble


def agreed(question: str) -> bool:
    """Ask on the terminal; say what to pass where there is none."""
    if not sys.stdin.isatty():
        raise Trouble("there is no terminal to ask on: pass --yes")
    console_on(sys.stderr).print(question, end="", soft_wrap=True)
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
