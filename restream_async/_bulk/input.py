"""Private: the input of a bulk run, sync or async, read item by item in one task."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, Final, TypeAlias, cast

import attrs

from restream_async._bulk.journal_adapter import JournalSlot
from restream_async.models import NewRestream

_BURST: Final = 128
"""Items that are read before other tasks of the event loop run."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""Makes the coroutine of a task."""


@attrs.define
class InputItem:
    """An item of the input.

    Attributes:
        index: its number, from 0.
        new: what to create.
        journal_slot: its slot in the journal, if there is one.

    """

    index: int
    new: NewRestream
    journal_slot: JournalSlot | None = None


class InputReader:
    """Reads the input in one task and one context, from the first item to its closing.

    The task reads some items ahead, so that requests need not wait for it, and then waits until
    items are taken, so that memory stays bounded. An error of the input ends the reading.

    Attributes:
        ready: the items that can be taken.
        stopped: whether no more items are read, because the run was stopped or failed.

    """

    def __init__(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        most_ahead: int,
        on_ready: Callable[[], None],
        on_unsent: Callable[[InputItem], None],
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            requests: the input.
            most_ahead: items that may be read ahead.
            on_ready: called when an item can be taken, and nothing waits for one.
            on_unsent: called with an item that was read and must not be sent any more.

        """
        self._items: Iterator[NewRestream] | AsyncIterator[NewRestream] = (
            aiter(requests) if isinstance(requests, AsyncIterable) else iter(requests)
        )
        self._most_ahead = most_ahead
        self._on_ready = on_ready
        self._on_unsent = on_unsent
        self._reader: asyncio.Task[object] | None = None
        # Whether the reader waits for the input, and not for room.
        self._awaits_input = False
        self._count = 0
        self._burst = 0
        self.ready: deque[InputItem] = deque()
        # Items that were read and not taken.
        self._ahead = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        # Set while the reader waits for room.
        self._room: asyncio.Future[None] | None = None
        self.stopped = False
        self._discarding = False
        self._complete = False
        self._error: BaseException | None = None

    @property
    def tasks(self) -> tuple[Work, ...]:
        """What has to run in tasks of its own. The first one reads."""
        return (self._read_all,)

    @property
    def exhausted(self) -> bool:
        """Whether no more items come."""
        return (self._complete or self._discarding) and not self.ready

    async def wait_until_ready(self) -> None:
        """Wait until there may be an item to take, or no more come. First come, first served."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def take(self) -> InputItem:
        """Return an item that is ready."""
        self._leave_room()
        return self.ready.popleft()

    def stop(self) -> None:
        """Read no more, and end the wait for the next item."""
        self.stopped = True
        self._wake_reader()
        # The input itself may call this. Then it is not interrupted.
        reader = self._reader
        if self._awaits_input and reader is not None and reader is not asyncio.current_task():
            reader.cancel()

    def discard(self) -> None:
        """Read no more, and report items that were read and not taken as not sent."""
        self._discarding = True
        self.stop()
        while self.ready:
            self._on_unsent(self.take())

    def fail(self, error: BaseException) -> None:
        """Read no more, because of `error`."""
        self._error = self._error or error
        self.stop()

    def raise_error(self) -> None:
        """Raise the error of the input once, if there was one."""
        error, self._error = self._error, None
        if isinstance(error, StopAsyncIteration):
            # Raised as it is, it would look like the end of the outcomes.
            raise RuntimeError("the input raised StopAsyncIteration") from error  # noqa: TRY004 - as Python itself does it
        if isinstance(error, asyncio.CancelledError):
            # Raised as it is, it would look like a cancellation of the consumer.
            raise RuntimeError("the input was cancelled") from error  # noqa: TRY004 - no type is wrong
        if error is not None:
            try:
                raise error
            finally:
                # Else the error holds this frame, and the frame the error.
                del error

    def _accept(self, item: InputItem) -> None:
        """Use an item that was read."""
        self._make_ready(item)

    def _reading_ended(self) -> None:
        """Note that the input has ended."""
        self._complete_input()

    def _make_ready(self, item: InputItem) -> None:
        """Let a worker take an item."""
        self.ready.append(item)
        if self._discarding:
            self.discard()
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        if len(self.ready) == 1:
            self._on_ready()

    def _complete_input(self) -> None:
        """Note that no more items become ready, and end all waits for one."""
        self._complete = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()

    def _leave_room(self) -> None:
        """Note that an item is not ahead any more."""
        self._ahead -= 1
        # The reader reads many items in one go, so it is not woken for each.
        if self._ahead <= self._most_ahead // 2:
            self._wake_reader()

    def _wake_reader(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    async def _read_all(self) -> None:
        self._reader = asyncio.current_task()
        items = self._items
        try:
            await self._keep_errors(
                self._read_async(items)
                if isinstance(items, AsyncIterator)
                else self._read_sync(items)
            )
        finally:
            try:
                await self._keep_errors(self._close())
            finally:
                self._reading_ended()

    async def _keep_errors(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep what the input raises. Only a cancellation from outside is raised here."""
        try:
            await work
        except asyncio.CancelledError as error:
            task = self._reader
            if task is None:
                raise AssertionError from error
            if not self.stopped:
                if task.cancelling():
                    raise
                # The input awaited something that was cancelled.
                self.fail(error)
            # `stop` interrupted the input, and the reader goes on to its end.
            while task.cancelling():
                task.uncancel()
        except Exception as error:  # noqa: BLE001 - an input may raise anything
            self.fail(error)

    async def _read_sync(self, items: Iterator[NewRestream]) -> None:
        while not self.stopped:
            try:
                new = next(items)
            except StopIteration:
                return
            self._add(new)
            self._burst += 1
            if self._ahead >= self._most_ahead or self._burst >= _BURST:
                await self._pause()

    async def _read_async(self, items: AsyncIterator[NewRestream]) -> None:
        source: object = items
        generator: AsyncGenerator[NewRestream, None] | None = None
        if isinstance(source, AsyncGenerator):
            generator = cast("AsyncGenerator[NewRestream, None]", source)
        step: Awaitable[NewRestream] | None = None
        while not self.stopped:
            self._awaits_input = True
            try:
                new = await (step or anext(items))
            except StopAsyncIteration:
                return
            finally:
                self._awaits_input = False
            step = None
            self._add(new)
            if self._ahead < self._most_ahead:
                continue
            try:
                await self._pause()
            except asyncio.CancelledError as error:
                if self.stopped or generator is None:
                    raise
                # Perhaps a timeout around the `yield` has cancelled this task. A generator that has
                # no such timeout raises the error again.
                step = generator.athrow(error)

    async def _pause(self) -> None:
        """Let other tasks run, and wait while enough items are ahead."""
        self._burst = 0
        if self._ahead < self._most_ahead:
            await asyncio.sleep(0)
        while self._ahead >= self._most_ahead and not self.stopped:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    async def _close(self) -> None:
        """Close a generator. Any other iterator belongs to the caller."""
        items: object = self._items
        if isinstance(items, AsyncGenerator):
            await cast("AsyncGenerator[object, None]", items).aclose()
        elif isinstance(items, Generator):
            cast("Generator[object, None, None]", items).close()

    def _add(self, new: object) -> None:
        if not isinstance(new, NewRestream):
            kind = type(new).__name__
            raise TypeError(f"item {self._count} of the input is a {kind}, not a NewRestream")
        item = InputItem(self._count, new)
        self._count += 1
        self._ahead += 1
        self._accept(item)
