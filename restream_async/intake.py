"""What comes in: the input of a bulk run, read item by item, sync or async."""

import abc
import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import ClassVar, Final, cast

from restream_async.gate import Gate, GivenUpError
from restream_async.model import NewRestream

REMEMBERED: Final = 15_000
"""How many of the latest different restreams of an input are surely known again. Up to twice as
many are kept, each in some 100 bytes: 3 MB at most."""


class Recent:
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
        mark = hash((new.video_id, new.stream_url, new.stream_key))
        known = mark in self._newer or mark in self._older
        if len(self._newer) >= REMEMBERED:
            self._newer, self._older = set(), self._newer
        self._newer.add(mark)
        return known


class Intake(abc.ABC):
    """Numbers the items, and remembers how the input ended.

    What the input raises ends it, and is kept until all that it gave before is reported.

    Attributes:
        waits: whether an item may be waited for, so that it pays to have somebody wait.
        ended: whether no more items come.

    """

    waits: ClassVar[bool]

    def __init__(self, gate: Gate) -> None:
        """Begin at item 0; places are taken in `gate`."""
        self._gate = gate
        self.ended = False
        self._count = 0
        self._error: BaseException | None = None

    @abc.abstractmethod
    async def next(self) -> tuple[int, NewRestream] | None:
        """Return the next item and its number; None at the end."""

    @abc.abstractmethod
    async def next_in_place(self) -> tuple[int, NewRestream, bool] | None:
        """Return the next item, and whether there is a place in the gate for it.

        There is none at the end, which is None, nor in an outage that nobody waits for any more.
        """

    def stop(self) -> None:
        """Give no more items."""
        self.ended = True

    def fail(self, error: Exception) -> None:
        """Give no more items, because of `error`."""
        self._error = self._error or error
        self.stop()

    def raise_error(self) -> None:
        """Raise what the input raised, if it did, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def close(self) -> None:  # noqa: B027 - an ordinary iterable needs nothing
        """Let go of the input."""

    def _number(self, item: object) -> tuple[int, NewRestream]:
        if not isinstance(item, NewRestream):
            kind = type(item).__name__
            raise TypeError(f"item {self._count} of the input is a {kind}, not a NewRestream")
        index = self._count
        self._count += 1
        return index, item

    def _end(self, error: BaseException | None = None) -> None:
        self.ended = True
        self._error = self._error or error


class SyncIntake(Intake):
    """An ordinary iterable."""

    waits = False

    def __init__(self, requests: Iterable[NewRestream], gate: Gate) -> None:
        """Read from `requests`."""
        super().__init__(gate)
        self._items: Iterator[NewRestream] = iter(requests)

    async def next(self) -> tuple[int, NewRestream] | None:
        """Return the next item at once."""
        return self._next()

    def _next(self) -> tuple[int, NewRestream] | None:
        if self.ended:
            return None
        try:
            return self._number(next(self._items))
        except StopIteration:
            self._end()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all is handed on
            self._end(error)
        return None

    async def next_in_place(self) -> tuple[int, NewRestream, bool] | None:
        """Wait for a place, and read at the moment when it is free."""
        placed = self._gate.try_enter() or await enter(self._gate)
        item = self._next()
        if item is not None:
            return *item, placed
        if placed:
            self._gate.leave()
        return None


class AsyncIntake(Intake):
    """An async iterable, read by one task at a time, and only while the gate has room."""

    waits = True

    def __init__(self, requests: AsyncIterable[NewRestream], gate: Gate) -> None:
        """Read from `requests`."""
        super().__init__(gate)
        self._items: AsyncIterator[NewRestream] = aiter(requests)
        self._turn = asyncio.Lock()
        self._reader: asyncio.Task[object] | None = None

    async def next(self) -> tuple[int, NewRestream] | None:
        """Wait for room and for the next item."""
        async with self._turn:
            # Room is waited for, but not taken: the next item may come in an hour, and others
            # can use it meanwhile.
            if await enter(self._gate):
                self._gate.leave()
            if self.ended:
                return None
            try:
                return self._number(await self._read())
            except StopAsyncIteration:
                self._end()
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                # The input's own: it waited for something that was cancelled.
                self._end(error)
            except Exception as error:  # noqa: BLE001 - whatever the input raises is handed on
                self._end(error)
            return None

    async def next_in_place(self) -> tuple[int, NewRestream, bool] | None:
        """Read, and then wait for a place."""
        item = await self.next()
        return None if item is None else (*item, await enter(self._gate))

    def stop(self) -> None:
        """Give no more items, and do not wait for the one that is awaited."""
        super().stop()
        # The input itself may say so: then what it gives next is its last.
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()

    async def close(self) -> None:
        """Close an async generator; anything else belongs to whoever made it."""
        items: object = self._items
        if isinstance(items, AsyncGenerator):
            await cast("AsyncGenerator[object, None]", items).aclose()

    async def _read(self) -> NewRestream:
        reader = self._reader = asyncio.current_task()
        try:
            return await anext(self._items)
        except asyncio.CancelledError:
            # Cancelled by `stop` alone, the reading task itself goes on to its end.
            if self.ended and reader is not None and not reader.uncancel():
                raise StopAsyncIteration from None
            raise
        finally:
            self._reader = None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def enter(gate: Gate) -> bool:
    """Take a place in the gate; return False in an outage that nobody waits for any more."""
    try:
        await gate.enter()
    except GivenUpError:
        return False
    return True


def intake(requests: Iterable[NewRestream] | AsyncIterable[NewRestream], gate: Gate) -> Intake:
    """Return what reads `requests`."""
    if isinstance(requests, AsyncIterable):
        return AsyncIntake(requests, gate)
    return SyncIntake(requests, gate)
