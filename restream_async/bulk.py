"""Many creations as a stream of outcomes, in bounded memory.

A run owns a few tasks ("lanes"). Each takes a place in the gate and an item from the input, and
sees that item to its end. A lane that waits for a retry holds no place, so a further one is started
to use it, up to a bound, so that the items under way are bounded too; and a lane that finds another
one already waiting ends.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import attrs

from restream_async.aftercare import Aftercare, Case
from restream_async.bookkeeping import Bookkeeper, Page, Repeats
from restream_async.calls import Caller
from restream_async.creation import (
    IN_PLACE,
    Beginning,
    Creator,
    Doubt,
    Settled,
    outcome_of,
)
from restream_async.errors import JournalError
from restream_async.intake import enter, intake
from restream_async.journal import Journal
from restream_async.model import Failed, NewRestream, Outcome
from restream_async.report import BulkCounts, BulkReport, Duplicate, Tally, sort_outcomes
from restream_async.wire import Api

# Intents that are written ahead of their requests, so that requests need not wait for the disk.
_AHEAD: Final = 256
# Items that may wait for a retry, for each that may be in flight.
_WAITING_SHARE: Final = 4


@attrs.define
class _Job:
    """An item on its way.

    Attributes:
        index: its number in the input.
        new: what to create.
        beginning: how to begin; a place in the gate is taken for it.
        page: its place in the journal, if there is one.

    """

    index: int
    new: NewRestream
    beginning: Beginning
    page: Page | None = None


class BulkRun:
    """A bulk run: an async context manager, and an async iterator over its outcomes.

    Leaving the block early cancels what is under way and waits until it has stopped. An exception
    from the input surfaces from the iteration, after the outcomes of all that was read before it;
    so does a `JournalError`, for a journal that cannot be written any more.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        caller: Caller,
        api: Api,
        creator: Creator,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        journal: Journal | None = None,
        repair: bool = False,
        ensure: bool = False,
        repeats: Repeats = "existing",
    ) -> None:
        """Prepare a run; nothing is read or sent before the block is entered."""
        self._caller = caller
        self._creator = creator
        self._intake = intake(requests, caller.gate)
        self._ensure = ensure
        beginning = Beginning(in_place=True, look_first=ensure, another=repeats == "create")
        self._beginning = IN_PLACE if beginning == IN_PLACE else beginning
        self._journal = journal
        self._books = Bookkeeper(journal, repeats) if journal is not None else None
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._aftercare = Aftercare(caller, api, repair=repair)
        self._tally = Tally()
        self._most_lanes = caller.gate.ceiling * (1 + _WAITING_SHARE) + _AHEAD * (
            journal is not None
        )
        self._lanes: set[asyncio.Task[None]] = set()
        # How many lanes wait for an item or a place, and how many of them are worth keeping.
        self._idle = 0
        self._spare = 1 if self._intake.waits or journal is not None else 0
        self._outcomes: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._stack = AsyncExitStack()
        self._entered = False

    async def __aenter__(self) -> Self:
        """Begin to read and to create.

        Raises:
            JournalError: the journal cannot be used.
            RuntimeError: the run was entered before.

        """
        if self._entered:
            raise RuntimeError("a bulk run can be entered once; call create_many again")
        self._entered = True
        self._stack.push_async_callback(self._intake.close)
        if self._journal is not None:
            await self._stack.enter_async_context(self._journal)
        await self._stack.enter_async_context(self._group)
        self._caller.gate.on_room.add(self._use_room)
        self._start_lane()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is still under way, and wait until it has stopped."""
        self._caller.gate.on_room.discard(self._use_room)
        for lane in self._lanes:
            lane.cancel()
        if not isinstance(error, asyncio.CancelledError):
            # No concern of the tasks: the group would only wrap it in a group of exceptions.
            kind = error = trace = None
        await self._stack.__aexit__(kind, error, trace)

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
                await self._finish()
                self._intake.raise_error()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        outcome = self._outcomes.popleft()
        if not self._drained.is_set():
            self._drained.set()
        return outcome

    @property
    def counts(self) -> BulkCounts:
        """The outcomes so far, in numbers."""
        return self._tally.counts

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """What turned up after doubt; complete when the iteration has ended."""
        return tuple(self._aftercare.duplicates)

    @property
    def unchecked(self) -> int:
        """How many creations after doubt could not be looked for again at the end."""
        return self._aftercare.unchecked

    def stop(self) -> None:
        """Read no more input. What is under way is finished, and the iteration ends after it."""
        self._intake.stop()

    async def report(self) -> BulkReport:
        """Wait for the end, and return all outcomes that were not iterated over yet."""
        created, failed = sort_outcomes([outcome async for outcome in self])
        return BulkReport(
            created=created,
            failed=failed,
            counts=self.counts,
            duplicates=self.duplicates,
            unchecked=self.unchecked,
        )

    def _start_lane(self) -> None:
        lane = self._group.create_task(self._lane())
        self._lanes.add(lane)
        lane.add_done_callback(self._lane_ended)

    def _lane_ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        self._news.set()

    def _use_room(self) -> None:
        """Start a lane where there is work for one that nobody waits to do."""
        room = self._books is not None or self._caller.gate.has_room
        if room and not self._idle and len(self._lanes) < self._most_lanes and self._lanes:
            self._start_lane()

    async def _lane(self) -> None:
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 - a closed client's, say: the iteration raises it
            self._intake.fail(error)

    async def _work(self) -> None:
        while not self._intake.ended and self._idle <= self._spare:
            self._idle += 1
            try:
                # A consumer that is slower than the service is waited for.
                while len(self._outcomes) >= self._most_lanes:
                    self._drained.clear()
                    await self._drained.wait()
                if self._books is None:
                    item = await self._intake.next_in_place()
                    job = None if item is None else self._job(*item)
                else:
                    async with self._ahead:
                        job = await self._take_noted(self._books)
            finally:
                self._idle -= 1
            if job is not None:
                self._use_room()
                await self._see_through(job)

    async def _take_noted(self, books: Bookkeeper) -> _Job | None:
        """Take an item whose intent is durable; one that is done already is only reported."""
        item = await self._intake.next()
        if item is None:
            return None
        index, new = item
        try:
            page = await books.begin(new)
        except JournalError as error:
            # Without a durable intent nothing may be sent any more.
            self._intake.fail(error)
            self._deliver(Failed(index=index, request=new, error=error, attempts=0), None)
            return None
        done = books.done(index, new, page)
        if done is not None:
            self._remember(_Job(index, new, self._beginning, page), done.restream.id, page.doubt)
            self._deliver(done, page.doubt)
            return None
        beginning = books.beginning(page, ensure=self._ensure)
        placed = await enter(self._caller.gate)
        return _Job(index, new, attrs.evolve(beginning, in_place=placed), page)

    def _job(self, index: int, new: NewRestream, placed: bool) -> _Job:  # noqa: FBT001 - as it comes
        beginning = self._beginning
        return _Job(index, new, beginning if placed else attrs.evolve(beginning, in_place=False))

    async def _see_through(self, job: _Job) -> None:
        end = await self._creator.create(job.new, self._caller.patient_deadline(), job.beginning)
        if self._books is not None and job.page is not None:
            self._books.end(job.page, end)
        if end.doubt is not None:
            self._remember(job, end.restream.id if isinstance(end, Settled) else None, end.doubt)
        self._deliver(outcome_of(end, job.index, job.new), end.doubt)

    def _remember(self, job: _Job, kept: int | str | None, doubt: Doubt | None) -> None:
        if doubt is not None:
            case = Case(index=job.index, new=job.new, kept=kept, doubt=doubt, page=job.page)
            self._aftercare.remember(case)

    def _deliver(self, outcome: Outcome, doubt: Doubt | None) -> None:
        self._tally.add(outcome, in_doubt=doubt is not None)
        self._outcomes.append(outcome)
        if not self._news.is_set():
            self._news.set()

    async def _finish(self) -> None:
        await self._aftercare.look_again()
        if self._books is not None:
            for case in self._aftercare.checked:
                if case.page is not None:
                    self._books.checked(case.page)
