"""Private: reads files that hold one value, such as a key.

A byte order mark at the start and one line break at the end belong to the file, not to the value.
"""

import json


class NoTextError(ValueError):
    """Bytes are no UTF-8; the message says what they are, such as `is UTF-16: save it as UTF-8`."""


def foreign_encoding(start: bytes) -> str:
    """Return that a text is UTF-16 or UTF-32, by its first bytes, and what to do; else nothing."""
    encoding = json.detect_encoding(start)
    return "" if encoding.startswith("utf-8") else f"is {encoding[:6].upper()}: save it as UTF-8"


def text_of_file(data: bytes) -> str:
    """Return the value that a file holds.

    Raises:
        NoTextError: it is not UTF-8. It is not chained: the decoder's error holds the data.

    """
    if problem := foreign_encoding(data):
        raise NoTextError(problem)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise NoTextError("is not UTF-8")
    return text.removesuffix("\n").removesuffix("\r")
