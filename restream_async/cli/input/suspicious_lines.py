"""Private: lines that can be sent, but look as if something went wrong before.

Warnings name lines and columns, never a value, which may be a key.
"""

import re
from collections.abc import Iterator
from typing import Final

import attrs

from restream_async import NewRestream
from restream_async._util.urls import normal_url

_MOST_SHOWN: Final = 5
# The latest restreams among which spellings of stream URLs are compared. Up to twice as many are
# kept, each in some 250 bytes.
_REMEMBERED: Final = 15_000
# What Excel makes of a long number, with a decimal point or comma.
_ROUNDED: Final = re.compile(r"\d+([.,]\d+)?E\+\d+")
# #N/A, #NAME? and #REF!, also in other languages; #### is a column that is too narrow.
_ERROR_VALUE: Final = re.compile(r"#(N/A|#+|[^\Wa-z][^\Wa-z/]*[?!]|DIV/0!)")

_IS_ROUNDED: Final = (
    "is a number that a spreadsheet has rounded, such as 1.23457E+11: take the original, and "
    "format the column as text"
)
_IS_ERROR_VALUE: Final = "is an error value of a spreadsheet, such as #NAME?: take the original"
_LINE_BREAK: Final = (
    "a cell of a column that is ignored has a line break: make sure that its quotes do not hide "
    "other restreams"
)
_SPELLED: Final = (
    "the line in brackets has another spelling of the streamUrl for the same video (a slash at the "
    "end, the case of the host, the default port)"
)
_SAME: Final = f"{_SPELLED} and the same streamKey, so it is the same restream"
_OTHER_KEY: Final = f"{_SPELLED} and another streamKey: make sure that both are wanted"


@attrs.define
class _Lines:
    """The first lines that have a warning, and the number of the others."""

    shown: list[str] = attrs.field(factory=list[str])
    more: int = 0
    _latest: str = ""

    def add(self, line: str) -> None:
        # A line may ask for several restreams.
        if line == self._latest:
            return
        self._latest = line
        if len(self.shown) < _MOST_SHOWN:
            self.shown.append(line)
        else:
            self.more += 1

    def __str__(self) -> str:
        *others, last = self.shown
        if self.more:
            return f"lines {', '.join(self.shown)} and {self.more:,} more"
        return f"lines {', '.join(others)} and {last}" if others else f"line {last}"


class SuspiciousLines:
    """Collects warnings about the lines of an input."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[str, _Lines] = {}
        # The hash of the stream URL, that of the stream key, and the line, by the hash of what all
        # spellings share: the newer half, and the older half.
        self._newer: dict[int, tuple[int, int, int]] = {}
        self._older: dict[int, tuple[int, int, int]] = {}

    def look_at(self, new: NewRestream, *, line: int, length: int) -> None:
        """Look at a restream that begins on `line` and takes up `length` lines."""
        # Quick tests first, which nearly all lines pass.
        if length > 1:
            self._warn(_LINE_BREAK, f"{line:,}")
        for column, value in (("videoId", new.video_id), ("streamKey", new.stream_key)):
            if "E+" in value and _ROUNDED.fullmatch(value):
                self._warn(f"{column} {_IS_ROUNDED}", f"{line:,}")
            elif value[0] == "#" and _ERROR_VALUE.fullmatch(value):
                self._warn(f"{column} {_IS_ERROR_VALUE}", f"{line:,}")
        self._compare(new, line)

    def warnings(self, name: str) -> Iterator[str]:
        """Yield a sentence for each kind of warning; `name` is that of the input."""
        for what, lines in self._found.items():
            yield f"Warning: {lines} of {name}: {what}"

    def _compare(self, new: NewRestream, line: int) -> None:
        url, key = hash(new.stream_url), hash(new.stream_key)
        place = hash((new.video_id, normal_url(new.stream_url)))
        first = self._newer.get(place) or self._older.get(place)
        if first is None:
            if len(self._newer) >= _REMEMBERED:
                self._newer, self._older = {}, self._newer
            self._newer[place] = url, key, line
        elif first[0] != url:
            what = _SAME if first[1] == key else _OTHER_KEY
            self._warn(what, f"{line:,} (see {first[2]:,})")

    def _warn(self, what: str, line: str) -> None:
        self._found.setdefault(what, _Lines()).add(line)
