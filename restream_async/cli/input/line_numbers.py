"""Private: the line of each item of an input, in little memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from restream_async.cli.output.run_result import Span

_MOST_SPANS: Final = 5


class LineNumbers:
    """The lines of items that are numbered from 0.

    It stores only where the distance between line and item changes: at blank lines, and at cells
    with line breaks.
    """

    def __init__(self, lines: Iterable[int] = ()) -> None:
        """Start with items on `lines`."""
        self._count = 0
        self._starts = array("Q")
        self._distances = array("Q")
        for line in lines:
            self.add(line)

    def __len__(self) -> int:
        """Return the number of items."""
        return self._count

    def __getitem__(self, index: int) -> int:
        """Return the line of an item."""
        return index + self._distances[bisect_right(self._starts, index) - 1]

    def add(self, line: int) -> None:
        """Add the next item."""
        distance = line - self._count
        if not self._distances or self._distances[-1] != distance:
            self._starts.append(self._count)
            self._distances.append(distance)
        self._count += 1

    def describe(self, spans: Sequence[Span]) -> str:
        """Return for example `line 2`, or `lines 3, 7 to 9 and 15 to 2,001`."""
        if len(spans) > _MOST_SPANS:
            return f"between line {self[spans[0][0]]:,} and line {self[spans[-1][1]]:,}"
        *others, last = [self._describe_span(*span) for span in spans]
        text = f"{', '.join(others)} and {last}" if others else last
        return f"line {text}" if spans[0][0] == spans[-1][1] else f"lines {text}"

    def _describe_span(self, first: int, last: int) -> str:
        start = f"{self[first]:,}"
        return start if first == last else f"{start} to {self[last]:,}"
