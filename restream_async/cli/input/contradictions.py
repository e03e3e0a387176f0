"""Private: finds lines that want the same restream in two ways."""

from array import array
from collections.abc import Iterator

from restream_async import NewRestream
from restream_async._operations.existence import key_of
from restream_async.cli.input.formats import BadLine, Row


def without_contradictions(items: Iterator[Row | BadLine]) -> Iterator[Row | BadLine]:
    """Yield what was read from an input; a line that contradicts an earlier one is bad."""
    seen = _Seen()
    for item in items:
        reason = seen.contradiction(item) if isinstance(item, Row) else ""
        yield BadLine(item.line, reason) if reason else item


class _Seen:
    """The restreams of the lines so far, in some 100 bytes each.

    It stores hashes of 64 bits in place of the texts.
    """

    def __init__(self) -> None:
        self._indices: dict[int, int] = {}
        # By the video id in lower case: the index of its first line.
        self._videos: dict[int, int] = {}
        self._spellings = array("q")
        self._lines = array("Q")
        self._titles = array("q")
        self._statuses = bytearray()

    def contradiction(self, row: Row) -> str:
        """Return how a row contradicts an earlier one, or an empty text; remember a new one."""
        new = row.restream
        index = self._indices.setdefault(hash(key_of(new)), len(self._lines))
        first = self._videos.setdefault(hash(new.video_id.casefold()), len(self._lines))
        if index == len(self._lines):
            self._add(row.line, new)
        if self._spellings[first] != hash(new.video_id):
            return (
                f"contradicts line {self._lines[first]:,}: its videoId differs only in upper and "
                "lower case"
            )
        others = {
            "title": self._titles[index] != hash(new.title),
            "status": self._statuses[index] != new.status,
        }
        different = " and ".join(name for name, differs in others.items() if differs)
        if not different:
            return ""
        return (
            f"contradicts line {self._lines[index]:,}: it has the same videoId, streamUrl and "
            f"streamKey, but another {different}"
        )

    def _add(self, line: int, new: NewRestream) -> None:
        self._lines.append(line)
        self._spellings.append(hash(new.video_id))
        self._titles.append(hash(new.title))
        self._statuses.append(new.status)
