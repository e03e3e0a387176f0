"""The three standard streams: there from the first moment on, and able to take any text."""

import io
import os
import sys
from contextlib import suppress
from typing import Final

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


def prepare_streams() -> None:
    """Make sure that all three standard streams exist, and that writing text to them cannot fail.

    A missing one is opened on the null device: a file or socket that is opened later must not get
    its number. A character that the encoding of a stream does not have is written as an escape.
    """
    for descriptor, (name, mode) in enumerate(_MODES.items()):
        _open_if_missing(descriptor)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - no path; open until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_if_missing(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest free number, which is this one: those below are open.
        os.open(os.devnull, os.O_RDWR)


def let_go_of_streams() -> None:
    """Write out what is left; what cannot be written is dropped without a word.

    Python itself would complain when it ends.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of anybody's
                os.dup2(nowhere.fileno(), stream.fileno())
