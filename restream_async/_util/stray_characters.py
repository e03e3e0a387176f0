"""Private: finds stray characters in values, by the same rules for every source of input.

The sources are arguments, the environment, key files, CSV, JSON lines, messages and webhooks. A
stray character is one that copying or saving has added and that is hard to see: a space at an end,
a no-break or zero-width space, a byte order mark, a line break. Three rules:

1. A value is never changed. A value with a stray character is refused, and the reason names the
   character, but not the value: it may be a key.
2. A byte order mark and a last line break belong to the file, not to the value (see `text_files`).
3. Words of a fixed list (names of columns, `true`) are compared without stray characters around
   them.
"""

import unicodedata
from typing import Final, Literal, TypeAlias

Inside: TypeAlias = Literal["text", "spaces", "visible"]
"""The characters that are allowed between the two ends of a value.

text: what people write: all kinds of spaces, and the joiners and marks that emoji and scripts need.
spaces: visible characters and the plain space.
visible: visible characters only.
"""

_BYTE_ORDER_MARK: Final = "\ufeff"
# Control characters, spaces, the soft hyphen, and characters without width. Not the joiners and
# direction marks: a title may begin or end with them.
_AT_AN_END: Final = (
    "".join(map(chr, (*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x200C))))
    + "\u00ad\u1680\u180e\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
# Unicode categories that are never allowed: control characters, halves of surrogate pairs (which
# UTF-8 cannot encode), line and paragraph separators.
_NEVER: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# All invisible ones: also marks, joiners and zero-width spaces, and spaces.
_INVISIBLE: Final = _NEVER | {"Cf", "Zs"}
_NAMES: Final = {"\n": "line break", "\r": "carriage return", "\t": "tab"} | {
    _BYTE_ORDER_MARK: "byte order mark"
}


def stray(text: str, inside: Inside) -> str:
    """Return which stray character a text holds, or nothing.

    For example `must not end with U+200B (zero width space)`.
    """
    if text.isprintable() and text == text.strip() and (inside != "visible" or " " not in text):
        return ""
    for verb, end in (("begin", text[0]), ("end", text[-1])):
        if end in _AT_AN_END or _is_stray(end, inside):
            return f"must not {verb} with {named(end)}"
    for number, character in enumerate(text, 1):
        # A quick test first, which nearly all characters pass.
        if (character == " " or not character.isprintable()) and _is_stray(character, inside):
            return f"must not contain {named(character)}: it is character {number:,}"
    return ""


def named(character: str) -> str:
    """Return for example `U+200B (zero width space)`."""
    category = unicodedata.category(character)
    otherwise = "half a surrogate pair" if category == "Cs" else "control character"
    name = _NAMES.get(character) or unicodedata.name(character, otherwise).lower()
    return f"U+{ord(character):04X} ({name})"


def is_invisible(character: str) -> bool:
    """Return whether a reader cannot see a character, or takes it for a plain space."""
    return character == " " or unicodedata.category(character) in _INVISIBLE


def trimmed(text: str) -> str:
    """Return a word of a fixed list without stray characters around it."""
    return text.strip(_AT_AN_END)


def _is_stray(character: str, inside: Inside) -> bool:
    if inside == "text":
        return unicodedata.category(character) in _NEVER or character == _BYTE_ORDER_MARK
    return is_invisible(character) and not (character == " " and inside == "spaces")
