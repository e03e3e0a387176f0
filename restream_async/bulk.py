"""Many creations as a stream of outcomes, in bounded memory.

A run owns a few tasks ("lanes"). Each takes a place in the gate, then an item from the input, and
sees that item to its end. A lane that waits for a retry holds no place; a further lane is started
only when every other one is busy, up to a bound, so that the items under way are bounded too.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Final, Protocol, Self

import attrs

from restream_async.calls import Caller
from restream_async.creation import Creator
from restream_async.errors import CallError, RestreamError
from restream_async.gate import Gate
from restream_async.model import Created, Failed, NewRestream, Outcome

# Items under way for each that may be in flight: the others wait for a retry.
_WAITING_SHARE: Final = 4


@attrs.frozen(kw_only=True)
class BulkReport:
    """What a bulk run did.

    Attributes:
        created: the restreams that exist, in the order of the input.
        failed: those that were not created, in the order of the input.

    """

    created: tuple[Created, ...]
    failed: tuple[Failed, ...]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "BulkReport":
        """Sort outcomes into a report."""
        ordered = sorted(outcomes, key=lambda outcome: outcome.index)
        return cls(
            created=tuple(outcome for outcome in ordered if isinstance(outcome, Created)),
            failed=tuple(outcome for outcome in ordered if isinstance(outcome, Failed)),
        )

    def raise_for_failures(self) -> None:
        """Do nothing if all were created.

        Raises:
            ExceptionGroup: of the errors of all that failed, each with a note that says which
                item of the input it was.

        """
        if not self.failed:
            return
        for failure in self.failed:
            failure.error.add_note(f"item {failure.index} of the input: {failure.request!r}")
        total = len(self.failed) + len(self.created)
        raise ExceptionGroup(
            f"{len(self.failed)} of {total} restreams were not created",
            [failure.error for failure in self.failed],
        )


class BulkRun:
    """A bulk run: an async context manager, and an async iterator over its outcomes.

    Leaving the block early cancels what is under way and waits until it has stopped. An exception
    from the input surfaces from the iteration, after the outcomes of all that was read before it.
    """

    def __init__(
        self,
        creator: Creator,
        caller: Caller,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
    ) -> None:
        """Prepare a run; nothing is read or sent before the block is entered."""
        self._creator = creator
        self._caller = caller
        self._source = _source(requests, caller.gate)
        self._most_lanes = caller.gate.limit * (1 + _WAITING_SHARE)
        self._lanes: set[asyncio.Task[None]] = set()
        self._idle = 0
        self._outcomes: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._entered = False

    async def __aenter__(self) -> Self:
        """Begin to read and to create.

        Raises:
            RuntimeError: the run was entered before.

        """
        if self._entered:
            raise RuntimeError("a bulk run can be entered once; call create_many again")
        self._entered = True
        await self._group.__aenter__()
        self._start_lane()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is still under way, and wait until it has stopped."""
        for lane in self._lanes:
            lane.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            await self._source.close()

    def __aiter__(self) -> Self:
        """Return the run itself."""
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome, in the order in which they finish.

        Raises:
            RuntimeError: the block is not entered.
            Exception: whatever the input raised, when all that it gave before is reported.

        """
        if not self._entered:
            raise RuntimeError("enter the run first: async with client.create_many(…) as run")
        while not self._outcomes:
            if not self._lanes:
                self._source.raise_error()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        outcome = self._outcomes.popleft()
        self._drained.set()
        return outcome

    def stop(self) -> None:
        """Read no more input. What is under way is finished, and the iteration ends after it."""
        self._source.stop()

    def _start_lane(self) -> None:
        lane = self._group.create_task(self._lane())
        self._lanes.add(lane)
        lane.add_done_callback(self._lane_ended)

    def _lane_ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        self._news.set()

    async def _lane(self) -> None:
        while not self._source.ended:
            self._idle += 1
            try:
                item = await self._next_item()
            finally:
                self._idle -= 1
            if item is None:
                return
            if not self._idle and len(self._lanes) < self._most_lanes:
                self._start_lane()
            self._outcomes.append(await self._create(*item))
            self._news.set()

    async def _next_item(self) -> tuple[int, NewRestream] | None:
        """Return the next item, with a place in the gate taken for it."""
        # A consumer that is slower than the service is waited for.
        while len(self._outcomes) >= self._most_lanes:
            self._drained.clear()
            await self._drained.wait()
        return await self._source.take()

    async def _create(self, index: int, new: NewRestream) -> Outcome:
        try:
            settled = await self._creator.create(new, self._caller.deadline(), in_place=True)
        except RestreamError as error:
            attempts = error.attempts if isinstance(error, CallError) else 0
            # Kept as a value: the frames it passed would keep the run's memory alive.
            return Failed(
                index=index, request=new, error=error.with_traceback(None), attempts=attempts
            )
        return Created(
            index=index,
            request=new,
            restream=settled.restream,
            attempts=settled.attempts,
            origin=settled.origin,
            maybe_duplicate=settled.maybe_duplicate,
        )


class _Source(Protocol):
    """Where items come from."""

    ended: bool

    async def take(self) -> tuple[int, NewRestream] | None:
        """Take a place in the gate and the next item; None, and no place, at the end."""
        ...

    def stop(self) -> None:
        """Give no more items."""
        ...

    def raise_error(self) -> None:
        """Raise what the input raised, if it did."""
        ...

    async def close(self) -> None:
        """Let go of the input."""
        ...


class _Numbered:
    """Counts items, and remembers how the input ended."""

    def __init__(self) -> None:
        self.ended = False
        self._count = 0
        self._error: Exception | None = None

    def stop(self) -> None:
        self.ended = True

    def raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _number(self, item: object) -> tuple[int, NewRestream]:
        index = self._count
        if not isinstance(item, NewRestream):
            raise TypeError(f"item {index} of the input is a {type(item).__name__}, no NewRestream")
        self._count += 1
        return index, item

    def _end(self, error: Exception | None) -> None:
        self.ended = True
        self._error = error


class _SyncSource(_Numbered):
    """An ordinary iterable: read at the very moment when a place is free."""

    def __init__(self, requests: Iterable[NewRestream], gate: Gate) -> None:
        super().__init__()
        self._items: Iterator[NewRestream] = iter(requests)
        self._gate = gate

    async def take(self) -> tuple[int, NewRestream] | None:
        await self._gate.enter()
        if not self.ended:
            try:
                return self._number(next(self._items))
            except StopIteration:
                self._end(None)
            except Exception as error:  # noqa: BLE001 - whatever the input raises is handed on
                self._end(error)
        self._gate.leave()
        return None

    async def close(self) -> None:
        """Nothing to let go of."""


class _AsyncSource(_Numbered):
    """An async iterable: one lane reads at a time, and holds no place while it waits."""

    def __init__(self, requests: AsyncIterable[NewRestream], gate: Gate) -> None:
        super().__init__()
        self._items: AsyncIterator[NewRestream] = aiter(requests)
        self._gate = gate
        self._turn = asyncio.Lock()
        self._reader: asyncio.Task[object] | None = None

    def stop(self) -> None:
        super().stop()
        if self._reader is not None:
            # It may be waiting for an item that comes in an hour.
            self._reader.cancel()

    async def take(self) -> tuple[int, NewRestream] | None:
        async with self._turn:
            # Wait for room before reading, but let others use it meanwhile: the input may take
            # an hour.
            await self._gate.enter()
            self._gate.leave()
            if self.ended:
                return None
            try:
                item = self._number(await self._read())
            except StopAsyncIteration:
                self._end(None)
                return None
            except Exception as error:  # noqa: BLE001 - whatever the input raises is handed on
                self._end(error)
                return None
        await self._gate.enter()
        return item

    async def _read(self) -> NewRestream:
        reader = self._reader = asyncio.current_task()
        try:
            return await anext(self._items)
        except asyncio.CancelledError:
            # Cancelled by `stop` alone, the lane itself goes on to its end.
            if self.ended and reader is not None and not reader.uncancel():
                raise StopAsyncIteration from None
            raise
        finally:
            self._reader = None

    async def close(self) -> None:
        if inspect.isasyncgen(self._items):
            await self._items.aclose()


def _source(requests: Iterable[NewRestream] | AsyncIterable[NewRestream], gate: Gate) -> _Source:
    if isinstance(requests, AsyncIterable):
        return _AsyncSource(requests, gate)
    return _SyncSource(requests, gate)
