"""Private: the line of each item of an input, in little memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from restream_async.cli.output.run_result import Span

_MOST_SPANS: Final = 5


class LineNumbers:
    """The lines of items that are numbered from 0.

    It stores only where the distance between line and item changes: at blank lines, and at cells
    with line breaks.
    """

    def __init__(self, lines: Iterable[int] = (), *, per_line: int = 1) -> None:
        """Start with items on `lines`; so many items share each line."""
        self._per_line = per_line
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
        row = index // self._per_line
        return row + self._distances[bisect_right(self._starts, row) - 1]

    def add(self, line: int) -> None:
        """Add the next item."""
        row = self._count // self._per_line
        distance = line - row
        is_first = self._count % self._per_line == 0
        if is_first and not (self._distances and self._distances[-1] == distance):
            self._starts.append(row)
            self._distances.append(distance)
        self._count += 1

    def describe(
        self, spans: Iterable[Span], *, most: int = _MOST_SPANS, what: str = "line"
    ) -> str:
        """Return for example `line 2`, or `lines 3, 7 to 9 and 15 to 2,001`.

        Args:
            spans: the items.
            most: only the first and the last line are named if there are more blocks than this.
            what: the word for a line.

        """
        in_lines: list[Span] = []
        for first, last in spans:
            start, end = self[first], self[last]
            # Items may share a line.
            if in_lines and start <= in_lines[-1][1]:
                start, _ = in_lines.pop()
            del in_lines[most:]
            in_lines.append((start, end))
        if len(in_lines) > most:
            return f"between {what} {in_lines[0][0]:,} and {what} {in_lines[-1][1]:,}"
        *others, last_text = [_describe(*span) for span in in_lines]
        text = f"{', '.join(others)} and {last_text}" if others else last_text
        return f"{what} {text}" if in_lines[0][0] == in_lines[-1][1] else f"{what}s {text}"


def _describe(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
