"""Taking back what the runs of a journal have created, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Final, Self

import attrs

from restream_async.calls import Caller
from restream_async.deletion import delete
from restream_async.errors import NotFoundError, RestreamError
from restream_async.journal import Journal, State
from restream_async.verdict import Failure
from restream_async.wire import Api

_TAKEN_BACK: Final = (State.CREATED,)
_TAKEN_BACK_TOO: Final = (State.CREATED, State.FOUND)


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
        self, caller: Caller, api: Api, journal: Journal, *, include_found: bool = False
    ) -> None:
        """Prepare; nothing is opened or deleted before the block is entered."""
        self._caller = caller
        self._api = api
        self._journal = journal
        self._states = _TAKEN_BACK_TOO if include_found else _TAKEN_BACK
        self._stopped = False
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

    def stop(self) -> None:
        """Begin no further deletion; those under way are finished."""
        self._stopped = True

    async def carry_out(self, heed: Callable[[Undone], object]) -> None:
        """Delete everything that is to be deleted.

        Args:
            heed: told of each one, in the order in which they finish.

        Raises:
            JournalError: the journal cannot be written any more.

        """
        rows = self._rows()
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.total, self._caller.gate.ceiling)):
                    group.create_task(self._work(rows, turn, heed))
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            await self._journal.flush()
            return
        raise first

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
        while not self._stopped:
            async with turn:
                row = await anext(rows, None)
            if row is None:
                return
            fingerprint, occurrence, restream_id = row
            undone = await self._delete(restream_id)
            if undone.gone:
                self._journal.end(fingerprint, occurrence, State.UNDONE, restream_id=restream_id)
            heed(undone)

    async def _delete(self, restream_id: int | str) -> Undone:
        result = await delete(self._caller, self._api, restream_id, self._caller.begin_patiently())
        if not isinstance(result, Failure):
            return Undone(restream_id=restream_id, refused=not result)
        if isinstance(result.error, NotFoundError):
            # Somebody else was faster.
            return Undone(restream_id=restream_id)
        return Undone(restream_id=restream_id, error=result.error)
