"""Private: makes sure that the standard streams exist and that any text can be written to them."""

import io
import os
import sys
from contextlib import suppress
from typing import Final

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


def prepare_streams() -> None:
    """Open missing standard streams, and make writing text to them safe.

    A missing stream is opened on the null device, because a file or socket that is opened later
    must not get its number. A character that a stream cannot encode is written as an escape.
    """
    for descriptor, (name, mode) in enumerate(_MODES.items()):
        _open_if_missing(descriptor)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - stays open until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_if_missing(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The system takes the lowest free number: this one, as all below it are open.
        os.open(os.devnull, os.O_RDWR)


def flush_streams() -> None:
    """Flush standard output and error; drop silently what cannot be written.

    Otherwise Python would print an error when it exits.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), open(os.devnull, "wb") as null:  # noqa: PTH123 - the null device
                os.dup2(null.fileno(), stream.fileno())
