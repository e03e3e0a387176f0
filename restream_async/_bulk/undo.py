"""Taking back what the runs of a journal have created, and nothing else."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

import attrs

from restream_async._bulk.graceful_stop import GracefulStop, cut_short
from restream_async._http.messages import Api
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async._operations.delete import delete
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import NotFoundError, RestreamError

_Row: TypeAlias = tuple[State, str, int, int | str]

_TAKEN_BACK: Final = (State.CREATED, State.RECHECKED)
_TAKEN_BACK_TOO: Final = (*_TAKEN_BACK, State.FOUND)
_UNKNOWN_NOTE: Final = "undo again: what is gone already does no harm"


@attrs.frozen(kw_only=True)
class Undone:
    """What became of one restream that was to be deleted.

    Attributes:
        restream_id: which one.
        error: why it could not be deleted, or None.
        refused: whether the service answered that it did not delete it, without an error.
        missing: whether it was not there any more before.

    """

    restream_id: int | str
    error: RestreamError | None = None
    refused: bool = False
    missing: bool = False

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
        executor: RequestExecutor,
        api: Api,
        journal: Journal,
        *,
        include_found: bool = False,
        calls: CallsInProgress | None = None,
    ) -> None:
        """Prepare; nothing is opened or deleted before the block is entered."""
        self._executor = executor
        self._api = api
        self._journal = journal
        self._states = _TAKEN_BACK_TOO if include_found else _TAKEN_BACK
        self._calls = calls if calls is not None else CallsInProgress(executor)
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = GracefulStop(self._tasks)
        # What was read of the journal and not taken, the states that come after it, and whose turn
        # it is to read on.
        self._rows: deque[_Row] = deque()
        self._unread = list(self._states)
        self._after: tuple[str, int] = ("", -1)
        self._turn = asyncio.Lock()
        self.total = 0
        """How many restreams are to be deleted; known inside the block."""
        self.left_alone = 0
        """How many were merely found and stay; known inside the block."""
        self.unsure = 0
        """How many were under way when their run ended, and may exist; known inside the block.

        A run that is resumed finds out about them. One that a run was checking again, and that
        turns out to be gone, comes to them.
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
        if not self._ending.stop.requested:
            self._ending.begin()

    async def carry_out(self, heed: Callable[[Undone], object]) -> None:
        """Delete everything that is to be deleted.

        Args:
            heed: told of each one, in the order in which they finish.

        Raises:
            JournalError: the journal cannot be written any more.
            ClientClosedError: the client is draining.
            RuntimeError: somebody else cancelled tasks of this work.

        """
        self._calls.add(self, self._api.restreams_call("DELETE"))
        try:
            await self._carry_out(heed)
        finally:
            self._ending.finish()
            self._calls.discard(self)
        await self._journal.flush()

    async def _carry_out(self, heed: Callable[[Undone], object]) -> None:
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.total, self._executor.limiter.ceiling)):
                    task = group.create_task(self._work(heed))
                    tasks.append(task)
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            if not self._ending.stop.requested and any(task.cancelled() for task in tasks):
                raise cancelled_by_others()
            return
        try:
            raise first
        finally:
            # Else the error holds this frame, and the frame the error.
            del first, tasks

    async def _next(self) -> _Row | None:
        async with self._turn:
            while not self._rows and self._unread:
                state = self._unread[0]
                page = await self._journal.page(state, self._after)
                self._rows.extend((state, *row) for row in page)
                self._after = page[-1][:2] if page else ("", -1)
                if not page:
                    self._unread.pop(0)
        return self._rows.popleft() if self._rows else None

    async def _work(self, heed: Callable[[Undone], object]) -> None:
        while not self._ended and (row := await self._next()) is not None:
            state, fingerprint, occurrence, restream_id = row
            deadline = self._executor.begin_patient_call(self._ending.stop)
            try:
                undone = await self._delete(restream_id, deadline)
            except asyncio.CancelledError:
                call = self._api.delete(restream_id).call
                error = cut_short(call, in_doubt=deadline.in_doubt, note=_UNKNOWN_NOTE)
                heed(Undone(restream_id=restream_id, error=error))
                raise
            if undone.gone:
                end = State.UNDONE
                if undone.missing and state is State.RECHECKED:
                    # Perhaps it was created again, under another id.
                    end = State.INTENDED
                    self.unsure += 1
                self._journal.end(fingerprint, occurrence, end, restream_id=restream_id)
            heed(undone)

    async def _delete(self, restream_id: int | str, deadline: Deadline) -> Undone:
        result = await delete(self._executor, self._api, restream_id, deadline)
        if not isinstance(result, Failure):
            return Undone(restream_id=restream_id, refused=not result)
        if isinstance(result.error, NotFoundError):
            # Somebody else was faster.
            return Undone(restream_id=restream_id, missing=True)
        return Undone(restream_id=restream_id, error=result.error)
