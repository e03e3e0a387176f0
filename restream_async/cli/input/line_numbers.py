"""On which line of an input each item stands, for all of them and in little memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Span: TypeAlias = tuple[int, int]
"""The first and the last of items that follow each other."""

_MOST_SPANS: Final = 5


class Lines:
    """The lines of items, numbered from 0, that are added in order.

    Kept is only where the distance between line and item changes: at blank lines, and at cells that
    hold line breaks.
    """

    def __init__(self, lines: Iterable[int] = ()) -> None:
        """Begin with the items that stand on `lines`."""
        self._count = 0
        self._starts = array("Q")
        self._distances = array("Q")
        for line in lines:
            self.add(line)

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._count

    def __getitem__(self, index: int) -> int:
        """Return the line of an item."""
        return index + self._distances[bisect_right(self._starts, index) - 1]

    def add(self, line: int) -> None:
        """Add the next item, which stands on `line`."""
        distance = line - self._count
        if not self._distances or self._distances[-1] != distance:
            self._starts.append(self._count)
            self._distances.append(distance)
        self._count += 1

    def told(self, spans: Sequence[Span]) -> str:
        """Return for example `line 2`, or `lines 3, 7 to 9 and 15 to 2,001`."""
        if len(spans) > _MOST_SPANS:
            return f"between line {self[spans[0][0]]:,} and line {self[spans[-1][1]]:,}"
        *others, last = [self._span(*span) for span in spans]
        text = f"{', '.join(others)} and {last}" if others else last
        return f"line {text}" if spans[0][0] == spans[-1][1] else f"lines {text}"

    def _span(self, first: int, last: int) -> str:
        start = f"{self[first]:,}"
        return start if first == last else f"{start} to {self[last]:,}"
