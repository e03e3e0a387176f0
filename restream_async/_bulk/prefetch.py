"""Write-ahead prefetch: the intents of items are durable before their requests.

A request must not leave before its intent is on the disk, and should not wait for the disk. So
items are read before there is a slot for their requests, and their intents are made durable many at
a time.
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
    """What the input of a run with a journal calls.

    Attributes:
        room: awaited before more intents are noted.
        on_known: an item needs no request, because it is known to exist.
        on_refused: the intent of an item could not be made durable.

    """

    room: Callable[[], Awaitable[None]]
    on_known: Callable[[JournalSlot, Created], None]
    on_refused: Callable[[InputItem, JournalError], None]


class PrefetchedInput(InputReader):
    """An input whose items become ready when their intents are durable, in the same order."""

    def __init__(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        adapter: JournalAdapter,
        *,
        most_ahead: int,
        callbacks: PrefetchCallbacks,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            requests: the input.
            adapter: makes the intents durable.
            most_ahead: items that may be read ahead.
            callbacks: what to call.

        """
        super().__init__(requests, most_ahead=most_ahead, callbacks=callbacks)
        self._adapter = adapter
        self._prefetch_callbacks = callbacks
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
                await self._prefetch_callbacks.room()
                await self._note_intents()
        finally:
            # If this task was cancelled, the run discards what is left.
            self._complete_input()

    async def _note_intents(self) -> None:
        items, self._unnoted = self._unnoted, []
        if not items:
            return
        callbacks = self._prefetch_callbacks
        try:
            slots = await self._adapter.note_intents([item.new for item in items])
        except JournalError as error:
            # Without a durable intent nothing may be sent any more.
            self.fail(error)
            for item in items:
                self._leave_room()
                callbacks.on_refused(item, error)
            return
        except BaseException:
            self._unnoted = items + self._unnoted
            self.discard()
            raise
        for item, slot in zip(items, slots, strict=True):
            known = slot.known_outcome(item.index, item.new)
            if known is None:
                self._make_ready(attrs.evolve(item, slot=slot))
            else:
                self._leave_room()
                callbacks.on_known(slot, known)
