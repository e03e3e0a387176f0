"""What a bulk run sends, item by item, and which line each item came from."""

from collections.abc import Iterable, Iterator

from restream_async import NewRestream, Outcome
from restream_async.cli.drive import at_first_go
from restream_async.cli.inputs import Bad, Row
from restream_async.cli.trouble import Trouble


class Requests:
    """Gives out the restreams of an input that was checked before.

    Attributes:
        given: how many were given out.
        last_line: where the last of them stands.
        lines: the lines of those that are under way, and of those that may turn up again.
        trouble: why there were no more, if that is not the end of the input.

    """

    def __init__(self, items: Iterable[Row | Bad]) -> None:
        """Read `items` only as far as they are asked for."""
        self.given = 0
        self.lines: dict[int, int] = {}
        self.last_line = 0
        self.trouble: Trouble | None = None
        self._items = items

    def __iter__(self) -> Iterator[NewRestream]:
        """Give them out, one by one."""
        try:
            # They were all good a moment ago, and are the same.
            for row in (item for item in self._items if isinstance(item, Row)):
                self.lines[self.given] = self.last_line = row.line
                self.given += 1
                yield row.restream
        except Trouble as trouble:
            self.trouble = trouble

    def line_of(self, outcome: Outcome) -> int:
        """Return where the restream of an outcome stands; ask once for each."""
        line = self.lines[outcome.index]
        if at_first_go(outcome):
            # Without any doubt, nothing more will be heard of it: memory stays flat.
            del self.lines[outcome.index]
        return line
