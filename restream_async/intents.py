"""Reading ahead of the requests, so that intents are durable before anybody asks for them.

A request must not leave before its intent is on the disk, and must not wait for the disk either.
So items are read before there is room for them, in some number, and their intents are made durable
together; whoever has room for a request takes one whose intent is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

import attrs

from restream_async.bookkeeping import Bookkeeper, Page
from restream_async.errors import JournalError
from restream_async.gate import Gate
from restream_async.intake import Intake, enter
from restream_async.model import Created, NewRestream

_BURST: Final = 128
"""Items that are read before others have their turn in the event loop."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What a task is made of."""

Intent: TypeAlias = tuple[int, NewRestream, Page]
"""An item's number, the item, and its place in the journal."""


@attrs.frozen(kw_only=True)
class Reports:
    """Who is told what.

    Attributes:
        arrived: called when there is an item to take.
        done: gets an item that needs no request; may wait until there is room for its outcome.
        refused: gets an item whose intent could not be made durable.

    """

    arrived: Callable[[], None]
    done: Callable[[Intent, Created], Awaitable[None]]
    refused: Callable[[int, NewRestream, JournalError], None]


class Intents:
    """Items whose intents are durable, in the order of the input."""

    def __init__(
        self, intake: Intake, books: Bookkeeper, gate: Gate, *, most: int, reports: Reports
    ) -> None:
        """Read from `intake`.

        Args:
            intake: gives the items.
            books: make the intents durable.
            gate: gives places to whoever takes an item.
            most: items that may be read ahead.
            reports: who is told what.

        """
        self._intake = intake
        self._books = books
        self._gate = gate
        self._most = most
        self._reports = reports
        # Read, but not noted yet; and noted, but not taken yet.
        self._read: list[tuple[int, NewRestream]] = []
        self._ready: deque[Intent] = deque()
        self._ahead = 0
        self._room = asyncio.Event()
        self._due = asyncio.Event()
        self._filled = asyncio.Event()
        self._all_read = False
        self._all_noted = False

    @property
    def any_ready(self) -> bool:
        """Whether there is an item to take."""
        return bool(self._ready)

    @property
    def ended(self) -> bool:
        """Whether no more items come."""
        return self._all_noted and not self._ready

    @property
    def work(self) -> tuple[Work, ...]:
        """What is to be run beside, as tasks of its own."""
        return self._read_ahead, self._note_all

    async def next_in_place(self) -> tuple[Intent, bool] | None:
        """Return the next item, and whether there is a place in the gate for it.

        There is none at the end, which is None, nor in an outage that nobody waits for any more.
        """
        while True:
            while not self._ready:
                if self._all_noted:
                    return None
                self._filled.clear()
                await self._filled.wait()
            placed = self._gate.try_enter() or await enter(self._gate)
            if self._ready:
                self._taken()
                return self._ready.popleft(), placed
            if placed:
                self._gate.leave()

    async def _read_ahead(self) -> None:
        try:
            while True:
                if self._ahead >= self._most:
                    self._room.clear()
                    await self._room.wait()
                item = await self._intake.next()
                if item is None:
                    return
                self._ahead += 1
                self._read.append(item)
                self._due.set()
                if not len(self._read) % _BURST:
                    await asyncio.sleep(0)
        finally:
            self._all_read = True
            self._due.set()

    async def _note_all(self) -> None:
        try:
            while not self._all_read or self._read:
                await self._due.wait()
                self._due.clear()
                if self._read:
                    items, self._read = self._read, []
                    await self._note(items)
        finally:
            self._all_noted = True
            self._filled.set()

    async def _note(self, items: list[tuple[int, NewRestream]]) -> None:
        try:
            pages = await self._books.begin([new for _, new in items])
        except JournalError as error:
            # Without a durable intent nothing may be sent any more.
            self._intake.fail(error)
            for index, new in items:
                self._taken()
                self._reports.refused(index, new, error)
            return
        for (index, new), page in zip(items, pages, strict=True):
            done = self._books.done(index, new, page)
            if done is None:
                self._ready.append((index, new, page))
            else:
                self._announce()
                await self._reports.done((index, new, page), done)
                self._taken()
        self._announce()

    def _announce(self) -> None:
        if self._ready:
            self._filled.set()
            self._reports.arrived()

    def _taken(self) -> None:
        self._ahead -= 1
        # Not for each one: so many are read, and noted, in one go.
        if self._ahead <= self._most // 2:
            self._room.set()
