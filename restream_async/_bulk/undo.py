"""Private: undo: deletes what the runs of a journal have created, and nothing else."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

import attrs

from restream_async._bulk.graceful_stop import GracefulStop
from restream_async._bulk.interrupted import interrupted_error
from restream_async._http.api import Api
from restream_async._journal.entries import State
from restream_async._journal.journal import Journal
from restream_async._operations.delete import delete
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._util.parallel import run_in_tasks
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import NotFoundError, RestreamError

_Row: TypeAlias = tuple[State, str, int, int | str]
"""State, fingerprint, occurrence and restream id of a creation."""

_CREATED: Final = (State.CREATED, State.RECHECKED)
_CREATED_OR_FOUND: Final = (*_CREATED, State.FOUND)
_UNKNOWN_NOTE: Final = "undo again: deleting twice does no harm"


@attrs.frozen(kw_only=True)
class Undone:
    """What became of one restream that was to be deleted.

    Attributes:
        restream_id: the restream.
        error: why it could not be deleted, or None.
        refused: whether the service answered that it did not delete it, without an error.
        missing: whether it did not exist any more.

    """

    restream_id: int | str
    error: RestreamError | None = None
    refused: bool = False
    missing: bool = False

    @property
    def gone(self) -> bool:
        """Whether the restream does not exist any more."""
        return self.error is None and not self.refused


class Undo:
    """Deletes what a journal's runs have created; an async context manager.

    It can be interrupted at any time and begun again, because the journal notes each deletion. It
    leaves alone restreams that the runs merely found. Those include the ones found after doubt that
    may have existed before. `include_found` deletes them too.

    Attributes:
        total: how many restreams are to be deleted; known inside the block.
        left_alone: how many were merely found and stay; known inside the block.
        unsure: how many were in progress when their run ended, and may exist; known inside the
            block. If the run is resumed, it finds out. A restream that a run was checking again,
            and that does not exist any more, is added to them.

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
        self._states = _CREATED_OR_FOUND if include_found else _CREATED
        self._calls = calls if calls is not None else CallsInProgress(executor)
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._graceful_stop = GracefulStop(self._tasks)
        # Rows that were read and not taken, the states that are not read to their end, the last
        # row of the first of them, and a lock to read on.
        self._rows: deque[_Row] = deque()
        self._unread = list(self._states)
        self._after: tuple[str, int] = ("", -1)
        self._reading = asyncio.Lock()
        self.total = 0
        self.left_alone = 0
        self.unsure = 0

    async def __aenter__(self) -> Self:
        """Open the journal and count.

        Raises:
            JournalError: the journal cannot be used.

        """
        await self._journal.__aenter__()
        try:
            counts = {state: await self._journal.count(state) for state in _CREATED_OR_FOUND}
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
        """Write what was deleted, and close the journal."""
        await self._journal.__aexit__(kind, error, trace)

    def end_input(self) -> None:
        """Begin no further deletion; those in progress are finished."""
        self._ended = True

    def stop(self) -> None:
        """End within seconds.

        No further deletion begins, and every wait ends at once. Requests in flight have 5 seconds
        to end. After that, their deletions are reported with `OutcomeUnknownError`.
        """
        self._ended = True
        if not self._graceful_stop.stop.requested:
            self._graceful_stop.begin()

    async def carry_out(self, on_undone: Callable[[Undone], object]) -> None:
        """Delete everything that is to be deleted.

        Args:
            on_undone: called for each restream, in the order in which the deletions end.

        Raises:
            JournalError: the journal cannot be written any more.
            ClientClosedError: the client is draining, or belongs to another event loop.
            RuntimeError: other code cancelled tasks of this work.

        """
        self._calls.add(self, self._api.restreams_call("DELETE"))
        try:
            count = min(self.total, self._executor.limiter.ceiling)
            whole = await run_in_tasks(lambda: self._delete_rows(on_undone), count, self._tasks)
            if not (whole or self._graceful_stop.stop.requested):
                raise cancelled_by_others()
        finally:
            self._graceful_stop.finish()
            self._calls.discard(self)
        await self._journal.flush()

    async def _delete_rows(self, on_undone: Callable[[Undone], object]) -> None:
        while not self._ended and (row := await self._next_row()) is not None:
            state, fingerprint, occurrence, restream_id = row
            deadline = self._executor.begin_patient_call(self._graceful_stop.stop)
            try:
                undone = await self._delete(restream_id, deadline)
            except asyncio.CancelledError:
                call = self._api.delete(restream_id).call
                error = interrupted_error(call, in_doubt=deadline.in_doubt, note=_UNKNOWN_NOTE)
                on_undone(Undone(restream_id=restream_id, error=error))
                raise
            if undone.gone:
                end = State.UNDONE
                if undone.missing and state is State.RECHECKED:
                    # Perhaps it was created again, with another id.
                    end = State.INTENDED
                    self.unsure += 1
                self._journal.end(fingerprint, occurrence, end, restream_id=restream_id)
            on_undone(undone)

    async def _next_row(self) -> _Row | None:
        async with self._reading:
            while not self._rows and self._unread:
                state = self._unread[0]
                page = await self._journal.page(state, self._after)
                self._rows.extend((state, *row) for row in page)
                self._after = page[-1][:2] if page else ("", -1)
                if not page:
                    self._unread.pop(0)
        return self._rows.popleft() if self._rows else None

    async def _delete(self, restream_id: int | str, deadline: Deadline) -> Undone:
        result = await delete(self._executor, self._api, restream_id, deadline)
        if not isinstance(result, Failure):
            return Undone(restream_id=restream_id, refused=not result)
        if isinstance(result.error, NotFoundError):
            return Undone(restream_id=restream_id, missing=True)
        return Undone(restream_id=restream_id, error=result.error)
