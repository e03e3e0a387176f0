"""Reading ahead of the requests, so that intents are durable before anybody asks for them.

A request must not leave before its intent is on the disk, and must not wait for the disk either.
So items are read before there is room for them, in some number, and their intents are made durable
together; whoever has room for a request takes one whose intent is.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

import attrs

from restream_async._bulk.input import InputCallbacks, InputItem, InputReader, Work
from restream_async._bulk.journal_adapter import JournalAdapter, JournalSlot
from restream_async.errors import JournalError
from restream_async.models import Created, NewRestream


@attrs.frozen(kw_only=True)
class PrefetchCallbacks(InputCallbacks):
    """What is called when, where there is a journal.

    Attributes:
        room: waited for before more items are noted.
        done: an item needs no request.
        refused: the intent of an item could not be made durable.

    """

    room: Callable[[], Awaitable[None]]
    done: Callable[[JournalSlot, Created], None]
    refused: Callable[[int, NewRestream, JournalError], None]


class PrefetchedInput(InputReader):
    """Items whose intents are durable, in the order of the input."""

    def __init__(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        books: JournalAdapter,
        *,
        most: int,
        reports: PrefetchCallbacks,
    ) -> None:
        """Read from `requests`.

        Args:
            requests: the input.
            books: make the intents durable.
            most: items that may be read ahead.
            reports: what is called when.

        """
        super().__init__(requests, most=most, reports=reports)
        self._books = books
        self._journal_reports = reports
        # Read, but not noted yet.
        self._read_items: list[InputItem] = []
        self._due = asyncio.Event()
        self._reading_ended = False

    @property
    def work(self) -> tuple[Work, ...]:
        """What is to be run beside, as tasks of its own: first the reader."""
        return (*super().work, self._note_all)

    def refuse(self) -> None:
        """Read no more, and report what was read and not taken as not sent."""
        # Noted or not.
        self.ready.extend(self._read_items)
        self._read_items.clear()
        super().refuse()
        self._due.set()

    def _accept(self, job: InputItem) -> None:
        if self._refusing:
            self._put(job)
            return
        self._read_items.append(job)
        self._due.set()

    def _all_read(self) -> None:
        self._reading_ended = True
        self._due.set()

    async def _note_all(self) -> None:
        try:
            while self._read_items or not (self._reading_ended or self._refusing):
                await self._due.wait()
                self._due.clear()
                await self._journal_reports.room()
                await self._note_read()
        finally:
            # What is left, if this task was cancelled, is refused by whoever hears of that.
            self._end()

    async def _note_read(self) -> None:
        items, self._read_items = self._read_items, []
        if not items:
            return
        try:
            pages = await self._books.begin([new for _, new, _ in items])
        except JournalError as error:
            # Without a durable intent nothing may be sent any more.
            self.fail(error)
            for index, new, _ in items:
                self._skip()
                self._journal_reports.refused(index, new, error)
            return
        except BaseException:
            self._read_items = items + self._read_items
            self.refuse()
            raise
        for (index, new, _), page in zip(items, pages, strict=True):
            done = self._books.done(index, new, page)
            if done is None:
                self._put((index, new, page))
            else:
                self._skip()
                self._journal_reports.done(page, done)

    def _skip(self) -> None:
        """Make room for an item instead of one that is not to be taken."""
        self._ahead -= 1
        if self._ahead <= self._few:
            self._make_room()
