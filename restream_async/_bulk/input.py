"""What comes in: the input of a bulk run, read item by item, sync or async."""

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
from restream_async._operations.matching import normal_url
from restream_async.models import NewRestream

REMEMBERED: Final = 15_000
"""How many of the latest different restreams of an input are surely known again. Up to twice as
many are kept, each in some 100 bytes: 3 MB at most."""

_BURST: Final = 128
"""Items that are read before others have their turn in the event loop."""

InputItem: TypeAlias = tuple[int, NewRestream, JournalSlot | None]
"""An item's number, the item, and its place in the journal, if there is one."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What a task is made of."""


class RecentItems:
    """Knows again what the input gave lately, in bounded memory.

    It keeps hashes of 64 bits, salted anew in each process. Were two restreams ever to share one,
    the second would merely be looked for before it is created.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def knows(self, new: NewRestream) -> bool:
        """Say whether one with the same key came before, and remember it."""
        mark = hash((new.video_id, normal_url(new.stream_url), new.stream_key))
        known = mark in self._newer or mark in self._older
        if len(self._newer) >= REMEMBERED:
            self._newer, self._older = set(), self._newer
        self._newer.add(mark)
        return known


@attrs.frozen(kw_only=True)
class InputCallbacks:
    """What is called when.

    Attributes:
        arrived: there is an item to take, and nothing waits for one.
        unsent: an item was read and is not to be sent any more.

    """

    arrived: Callable[[], None]
    unsent: Callable[[InputItem], None]


class InputReader:
    """Reads the input in one task and one context, from the first item to its closing.

    The task reads a few items ahead, so that those who take them need not wait for it, and no more
    before some are taken: memory stays bounded. What the input raises ends it, and is kept until
    all that it gave before is reported.
    """

    def __init__(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        most: int,
        reports: InputCallbacks,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            requests: the input.
            most: items that may be read ahead.
            reports: what is called when.

        """
        self._items: Iterator[NewRestream] | AsyncIterator[NewRestream] = (
            aiter(requests) if isinstance(requests, AsyncIterable) else iter(requests)
        )
        self._most = most
        self._few = most // 2
        self._reports = reports
        self._reader: asyncio.Task[object] | None = None
        # Whether the reader waits for the input, and not for room.
        self._awaiting = False
        self._count = 0
        self._burst = 0
        self.ready: deque[InputItem] = deque()
        """Items that can be taken."""
        # Items that are read and not taken; and who waits for one.
        self._ahead = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        # What the reader waits for while enough was read.
        self._room: asyncio.Future[None] | None = None
        self._stopped = False
        self._refusing = False
        self._complete = False
        self._error: BaseException | None = None

    @property
    def work(self) -> tuple[Work, ...]:
        """What is to be run beside, as tasks of its own: first the reader."""
        return (self._read_all,)

    @property
    def stopped(self) -> bool:
        """Whether no more is read, because somebody said so."""
        return self._stopped

    @property
    def ended(self) -> bool:
        """Whether no more items come."""
        return (self._complete or self._refusing) and not self.ready

    async def arrival(self) -> None:
        """Wait until there may be an item to take, or no more come. First come, first served."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def take(self) -> InputItem:
        """Return an item that is ready."""
        self._ahead -= 1
        # Not for each one: so many are read in one go.
        if self._ahead <= self._few and self._room is not None:
            self._make_room()
        return self.ready.popleft()

    def stop(self) -> None:
        """Read no more, and do not wait for the item that is awaited."""
        self._stopped = True
        self._make_room()
        # The input itself may say so: then it is not interrupted.
        reader = self._reader
        if self._awaiting and reader is not None and reader is not asyncio.current_task():
            reader.cancel()

    def refuse(self) -> None:
        """Read no more, and report what was read and not taken as not sent."""
        self._refusing = True
        self.stop()
        while self.ready:
            self._reports.unsent(self.take())

    def fail(self, error: BaseException) -> None:
        """Read no more, because of `error`."""
        self._error = self._error or error
        self.stop()

    def raise_error(self) -> None:
        """Raise what the input raised, if it did, once."""
        error, self._error = self._error, None
        if isinstance(error, StopAsyncIteration):
            # As it is, it would pass for the end of the outcomes.
            raise RuntimeError("the input raised StopAsyncIteration") from error  # noqa: TRY004 - as Python itself does it
        if isinstance(error, asyncio.CancelledError):
            # And this for a cancellation of whoever iterates.
            raise RuntimeError("the input was cancelled") from error  # noqa: TRY004 - no type is wrong
        if error is not None:
            try:
                raise error
            finally:
                # Else the error holds this frame, and the frame the error.
                del error

    def _all_read(self) -> None:
        """Note that the input has ended."""
        self._end()

    def _put(self, job: InputItem) -> None:
        """Let somebody take an item."""
        self.ready.append(job)
        if self._refusing:
            self.refuse()
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        if len(self.ready) == 1:
            self._reports.arrived()

    # What is done with an item that was read.
    _accept = _put

    def _make_room(self) -> None:
        """Let the reader go on."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _end(self) -> None:
        """Let nobody wait any more."""
        self._complete = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()

    async def _read_all(self) -> None:
        self._reader = asyncio.current_task()
        try:
            await self._keep_errors(self._read())
        finally:
            try:
                await self._keep_errors(self._close())
            finally:
                self._all_read()

    async def _keep_errors(self, work: Coroutine[Any, Any, None]) -> None:
        """Keep what the input raises; only a cancellation from outside is raised."""
        try:
            await work
        except asyncio.CancelledError as error:
            task = self._reader
            if task is None:
                raise AssertionError from error
            if not self._stopped:
                if task.cancelling():
                    raise
                # The input's own: it waited for something that was cancelled.
                self.fail(error)
            # Interrupted by `stop`: the reader goes on to its end.
            while task.cancelling():
                task.uncancel()
        except Exception as error:  # noqa: BLE001 - whatever the input raises is handed on
            self.fail(error)

    def _read(self) -> Coroutine[Any, Any, None]:
        if isinstance(self._items, AsyncIterator):
            return self._read_async(self._items)
        return self._read_sync(self._items)

    async def _read_sync(self, items: Iterator[NewRestream]) -> None:
        while not self._stopped:
            try:
                item = next(items)
            except StopIteration:
                return
            self._number(item)
            self._burst += 1
            if self._ahead >= self._most or self._burst >= _BURST:
                await self._rest()

    async def _read_async(self, items: AsyncIterator[NewRestream]) -> None:
        source: object = items
        generator: AsyncGenerator[NewRestream, None] | None = None
        if isinstance(source, AsyncGenerator):
            generator = cast("AsyncGenerator[NewRestream, None]", source)
        step: Awaitable[NewRestream] | None = None
        while not self._stopped:
            try:
                item = await self._wait_for(step or anext(items))
            except StopAsyncIteration:
                return
            step = None
            self._number(item)
            if self._ahead < self._most:
                continue
            try:
                await self._rest()
            except asyncio.CancelledError as error:
                if self._stopped or generator is None:
                    raise
                # A time-out around the `yield` has cancelled this task, say. Whatever in the
                # generator has not is raised by it again.
                step = generator.athrow(error)

    async def _wait_for(self, step: Awaitable[NewRestream]) -> NewRestream:
        self._awaiting = True
        try:
            return await step
        finally:
            self._awaiting = False

    async def _rest(self) -> None:
        """Wait while enough was read, and let others have their turn."""
        self._burst = 0
        if self._ahead < self._most:
            await asyncio.sleep(0)
        while self._ahead >= self._most and not self._stopped:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    async def _close(self) -> None:
        """Close a generator; anything else belongs to whoever made it."""
        items: object = self._items
        if isinstance(items, AsyncGenerator):
            await cast("AsyncGenerator[object, None]", items).aclose()
        elif isinstance(items, Generator):
            cast("Generator[object, None, None]", items).close()

    def _number(self, item: object) -> None:
        if not isinstance(item, NewRestream):
            kind = type(item).__name__
            raise TypeError(f"item {self._count} of the input is a {kind}, not a NewRestream")
        job = self._count, item, None
        self._count += 1
        self._ahead += 1
        self._accept(job)
