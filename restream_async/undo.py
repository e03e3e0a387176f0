"""Taking back what the runs of a journal have created, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Final, Self

import attrs

from restream_async.calls import Caller
from restream_async.concurrency import cancelled_from_outside
from restream_async.deadline import Deadline, Stop
from restream_async.deletion import delete
from restream_async.draining import GRACE, UnderWay
from restream_async.errors import (
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
)
from restream_async.journal import Journal, State
from restream_async.verdict import Failure
from restream_async.wire import Api

_TAKEN_BACK: Final = (State.CREATED,)
_TAKEN_BACK_TOO: Final = (State.CREATED, State.FOUND)
_UNKNOWN_NOTE: Final = "undo again: what is gone already does no harm"


@attrs.frozen(kw_only=True)
class Undone:
    """What became of one restream that was to be deleted.

    Attributes:
        restream_id: which one.
        error: why it could not be deleted, or None.
        refused: whether the service answered that it did not delete it, without an error.

    """

    restream_id: int | str
    error: RestreamError | None = None
    refused: bool = False

    @property
    def gone(self) -> bool:
        """Whether it is not there any more."""
        return self.error is None and not self.refused


class Undo:
    """Deletes what a journal's runs have created; an async context manager.

    It can be interrupted at any time and begun again: what is gone is noted in the journal.
    Restreams that the runs merely found are left alone, also those found after doubt of which
    nobody knows whether the run made them, unless `include_found` is set.
    """

    def __init__(
        self,
        caller: Caller,
        api: Api,
        journal: Journal,
        *,
        include_found: bool = False,
        under_way: UnderWay | None = None,
    ) -> None:
        """Prepare; nothing is opened or deleted before the block is entered."""
        self._caller = caller
        self._api = api
        self._journal = journal
        self._states = _TAKEN_BACK_TOO if include_found else _TAKEN_BACK
        self._under_way = under_way if under_way is not None else UnderWay(caller)
        self._ended = False
        self._stop = Stop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.total = 0
        """How many restreams are to be deleted; known inside the block."""
        self.left_alone = 0
        """How many were merely found and stay; known inside the block."""
        self.unsure = 0
        """How many were under way when their run ended, and may exist; known inside the block.

        A run that is resumed finds out about them.
        """

    async def __aenter__(self) -> Self:
        """Open the journal and count.

        Raises:
            JournalError: the journal cannot be used.

        """
        await self._journal.__aenter__()
        try:
            counts = {state: await self._journal.count(state) for state in _TAKEN_BACK_TOO}
            self.unsure = await self._journal.count(State.INTENDED)
        except BaseException as error:
            await self._journal.__aexit__(type(error), error, error.__traceback__)
            raise
        self.total = sum(counts[state] for state in self._states)
        self.left_alone = sum(counts.values()) - self.total
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write down what is gone, and close the journal."""
        await self._journal.__aexit__(kind, error, trace)

    def end_input(self) -> None:
        """Begin no further deletion; those under way are finished."""
        self._ended = True

    def stop(self) -> None:
        """End within seconds.

        No further deletion begins, and every wait ends at once. What is on the wire has 5 seconds
        to end by itself; then it is told of with `OutcomeUnknownError`.
        """
        self._ended = True
        if not self._stop.requested:
            self._stop.request()
            asyncio.get_running_loop().call_later(GRACE, self._cut)

    async def carry_out(self, heed: Callable[[Undone], object]) -> None:
        """Delete everything that is to be deleted.

        Args:
            heed: told of each one, in the order in which they finish.

        Raises:
            JournalError: the journal cannot be written any more.
            ClientClosedError: the client is draining.
            RuntimeError: somebody else cancelled tasks of this work.

        """
        self._under_way.add(self, self._api.any("DELETE"))
        try:
            await self._carry_out(heed)
        finally:
            self._under_way.discard(self)
        await self._journal.flush()

    async def _carry_out(self, heed: Callable[[Undone], object]) -> None:
        rows = self._rows()
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.total, self._caller.gate.ceiling)):
                    self._tasks.add(group.create_task(self._work(rows, turn, heed)))
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            if not self._stop.requested and any(task.cancelled() for task in self._tasks):
                raise cancelled_from_outside()
            return
        raise first

    def _cut(self) -> None:
        """End what is still on the wire."""
        for task in self._tasks:
            task.cancel()

    async def _rows(self) -> AsyncIterator[tuple[str, int, int | str]]:
        for state in self._states:
            async for row in self._journal.ids(state):
                yield row

    async def _work(
        self,
        rows: AsyncIterator[tuple[str, int, int | str]],
        turn: asyncio.Lock,
        heed: Callable[[Undone], object],
    ) -> None:
        while not self._ended:
            async with turn:
                row = await anext(rows, None)
            if row is None:
                return
            fingerprint, occurrence, restream_id = row
            deadline = self._caller.begin_patiently(self._stop)
            try:
                undone = await self._delete(restream_id, deadline)
            except asyncio.CancelledError:
                heed(self._cut_short(restream_id, deadline))
                raise
            if undone.gone:
                self._journal.end(fingerprint, occurrence, State.UNDONE, restream_id=restream_id)
            heed(undone)

    async def _delete(self, restream_id: int | str, deadline: Deadline) -> Undone:
        result = await delete(self._caller, self._api, restream_id, deadline)
        if not isinstance(result, Failure):
            return Undone(restream_id=restream_id, refused=not result)
        if isinstance(result.error, NotFoundError):
            # Somebody else was faster.
            return Undone(restream_id=restream_id)
        return Undone(restream_id=restream_id, error=result.error)

    def _cut_short(self, restream_id: int | str, deadline: Deadline) -> Undone:
        """Return the end of a deletion that is not gone on with."""
        call = self._api.delete(restream_id).call
        if not deadline.in_doubt:
            detail = "its work ended before it was sent"
            return Undone(
                restream_id=restream_id, error=NotSentError(call, detail=detail, sent=False)
            )
        doubt = TransportError(call, detail="its work ended before the answer came", sent=True)
        error = OutcomeUnknownError(call, doubt=doubt, attempts=1, note=_UNKNOWN_NOTE)
        return Undone(restream_id=restream_id, error=error)
