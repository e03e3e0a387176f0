"""What a bulk run sends, item by item."""

from collections.abc import Iterable, Iterator

from restream_async import NewRestream
from restream_async.cli.errors import CliError
from restream_async.cli.input.formats import Bad, Row


class Requests:
    """Gives out the restreams of an input that was checked before.

    Attributes:
        given: how many were given out.
        trouble: why there were no more, if that is not the end of the input.

    """

    def __init__(self, items: Iterable[Row | Bad]) -> None:
        """Read `items` only as far as they are asked for."""
        self.given = 0
        self.trouble: CliError | None = None
        self._items = items

    def __iter__(self) -> Iterator[NewRestream]:
        """Give them out, one by one."""
        try:
            # They were all good a moment ago, and are the same.
            for row in (item for item in self._items if isinstance(item, Row)):
                self.given += 1
                yield row.restream
        except CliError as trouble:
            self.trouble = trouble
