"""Private: JSON values: how they are parsed, told apart, and named in errors."""

import json
from collections.abc import Mapping
from typing import Final, cast

from restream_async._util.stray_characters import is_invisible, named

JSON_TYPES: Final[Mapping[type, str]] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}
"""What errors call the types of JSON values."""

_DECODER: Final = json.JSONDecoder()


class UnreadableError(ValueError):
    """Bytes or values that are not what the service documents; the text says where and why.

    The text names paths and types, never a value.
    """


def parse(data: bytes | str) -> object:
    """Return the JSON value in `data`.

    Raises:
        UnreadableError: it is no JSON, or it is nested too deeply or a number is too long.

    """
    try:
        # RFC 8259, section 8.1: the encoding is UTF-8, and a byte order mark may be ignored.
        text = data if isinstance(data, str) else data.decode()
        if text.startswith("{"):
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return _DECODER.decode(text.removeprefix("\ufeff"))
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = f"it is not JSON{_position(error)}" if data else "it is empty"
    raise UnreadableError(problem)


def as_object(value: object) -> dict[str, object] | None:
    """Return a decoded JSON value if it is an object."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[object] | None:
    """Return a decoded JSON value if it is an array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def as_integer(value: object) -> int | None:
    """Return a decoded JSON value if it is an integer."""
    return value if type(value) is int else None


def type_name(value: object) -> str:
    """Return what errors call the type of a decoded JSON value."""
    return JSON_TYPES.get(type(value), type(value).__name__)


def _position(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return ""
    found = error.doc[error.pos : error.pos + 1]
    # The text may be a key, so only an invisible character of it is named.
    what = f", where {named(found)} stands" if found and is_invisible(found) else ""
    return f" at position {error.pos}{what}"
