"""Private: texts with placeholders such as `YouTube: {title}`, and the columns that fill them."""

import re
from collections.abc import Callable, Mapping
from typing import Final

VIDEO_ID: Final = "videoId"
"""The placeholder that every list of videos can fill."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")


def names_in(text: str) -> frozenset[str]:
    """Return the names of the placeholders in a text."""
    return frozenset(_PLACEHOLDER.findall(text))


def wrong_braces(text: str) -> str:
    """Return that a text has a brace outside placeholders, or nothing."""
    rest = _PLACEHOLDER.sub("", text)
    if "{" in rest or "}" in rest:
        return "must have braces only around the name of a column, as in {videoId}"
    return ""


def filled(text: str, text_of: Callable[[str], str]) -> str:
    """Return a text with each placeholder replaced by what `text_of` returns for its name."""
    return _PLACEHOLDER.sub(lambda found: text_of(found[1]), text)


def column_text(columns: Mapping[str, object], name: str) -> str:
    """Return the text or the whole number in a column; empty if there is none."""
    value = columns.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
