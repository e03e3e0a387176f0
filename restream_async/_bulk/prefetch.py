"""Private: write-ahead prefetch: the intents of items are durable before their requests.

A request must not leave before its intent is on the disk, and should not wait for the disk. So
items are read before there is a slot for their requests, and their intents are made durable many at
a time.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

from restream_async._bulk.input import InputItem, InputReader, Work
from restream_async._bulk.journal_adapter import JournalAdapter, JournalSlot
from restream_async.errors import JournalError
from restream_async.models import Created, NewRestream


class PrefetchedInput(InputReader):
    """An input whose items become ready when their intents are durable, in the same order."""

    def __init__(  # noqa: PLR0913 - one callback for each case
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        adapter: JournalAdapter,
        *,
        most_ahead: int,
        on_ready: Callable[[], None],
        on_unsent: Callable[[InputItem], None],
        on_known: Callable[[JournalSlot, Created], None],
        on_refused: Callable[[InputItem, JournalError], None],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        """Prepare; nothing is read yet. `InputReader` explains the other arguments.

        `adapter` makes the intents durable. `on_known` is called with an item that needs no
        request, because its restream exists, and `on_refused` with an item whose intent could not
        be made durable. `room` is awaited before more intents are noted.
        """
        super().__init__(requests, most_ahead=most_ahead, on_ready=on_ready, on_unsent=on_unsent)
        self._adapter = adapter
        self._on_known = on_known
        self._on_refused = on_refused
        self._room_for_outcomes = room
        # Items whose intents are not noted yet.
        self._unnoted: list[InputItem] = []
        self._changed = asyncio.Event()
        self._all_read = False

    @property
    def tasks(self) -> tuple[Work, ...]:
        """What has to run in tasks of its own. The first one reads."""
        return (*super().tasks, self._note_all)

    def discard(self) -> None:
        """Read no more, and report items that were read and not taken as not sent."""
        self.ready.extend(self._unnoted)
        self._unnoted.clear()
        super().discard()
        self._changed.set()

    def _accept(self, item: InputItem) -> None:
        if self._discarding:
            self._make_ready(item)
            return
        self._unnoted.append(item)
        self._changed.set()

    def _reading_ended(self) -> None:
        self._all_read = True
        self._changed.set()

    async def _note_all(self) -> None:
        try:
            while self._unnoted or not (self._all_read or self._discarding):
                await self._changed.wait()
                self._changed.clear()
                await self._room_for_outcomes()
                await self._note_intents()
        finally:
            # If this task was cancelled, the run discards what is left.
            self._complete_input()

    async def _note_intents(self) -> None:
        items, self._unnoted = self._unnoted, []
        if not items:
            return
        try:
            slots = await self._adapter.note_intents([item.new for item in items])
        except JournalError as error:
            # Without a durable intent nothing may be sent any more.
            self.fail(error)
            for item in items:
                self._leave_room()
                self._on_refused(item, error)
            return
        except BaseException:
            self._unnoted = items + self._unnoted
            self.discard()
            raise
        for item, slot in zip(items, slots, strict=True):
            known = slot.known_outcome(item.index, item.new)
            if known is None:
                item.journal_slot = slot
                self._make_ready(item)
            else:
                self._leave_room()
                self._on_known(slot, known)
