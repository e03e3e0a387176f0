"""Files that hold one text: what belongs to the file and not to the text, and other encodings.

A byte order mark at the start and one line break at the end belong to the file.
"""

import json


class NoTextError(ValueError):
    """Bytes that are no text in UTF-8; says what they are instead, such as `is UTF-16`."""


def foreign_encoding(start: bytes) -> str:
    """Say if a text begins as ASCII does in UTF-16 or UTF-32, and what to do; else nothing."""
    encoding = json.detect_encoding(start)
    return "" if encoding.startswith("utf-8") else f"is {encoding[:6].upper()}: save it as UTF-8"


def text_of_file(data: bytes) -> str:
    """Return the value that a file holds.

    Raises:
        NoTextError: it is not UTF-8. Not chained: the error of the decoder carries the data.

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
