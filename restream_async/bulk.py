"""Many creations as a stream of outcomes, in bounded memory.

A run owns a few tasks ("lanes"). Each takes a place in the gate and an item from the input, and
sees that item to its end. A lane that waits for a retry holds no place, so a further one is started
to use it, up to a bound, so that the items under way are bounded too; and a lane that finds another
one already waiting ends.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self, TypeAlias

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
    Unsettled,
    outcome_of,
)
from restream_async.errors import JournalError
from restream_async.intake import Recent, intake
from restream_async.intents import Intent, Intents, Reports, Work
from restream_async.journal import Journal
from restream_async.model import Created, Failed, NewRestream, Outcome
from restream_async.report import BulkCounts, BulkReport, Duplicate, Tally, sort_outcomes
from restream_async.wire import Api

# Intents that are written ahead, for each request that may be in flight, so that requests need not
# wait for the disk.
_AHEAD_SHARE: Final = 4
# Items that may wait for a retry, for each that may be in flight.
_WAITING_SHARE: Final = 4

_AGAIN: Final = Beginning(in_place=True, look_first=True)


# An item on its way: its number in the input, what to create, how to begin, and its place in the
# journal, if there is one.
_Job: TypeAlias = tuple[int, NewRestream, Beginning, Page | None]


class BulkRun:
    """A bulk run: an async context manager, and an async iterator over its outcomes.

    Leaving the block early cancels what is under way and waits until it has stopped. An exception
    from the input surfaces from the iteration, after the outcomes of all that was read before it;
    so does a `JournalError`, for a journal that cannot be written any more, and a `RuntimeError`
    where the client is closed during the run: what was under way is reported as failed, with
    `OutcomeUnknownError` where nobody knows whether it was created.

    Attributes:
        before_reading: if set, awaited when the journal is open and locked, and nothing is read
            yet. It gets the journal; what it raises ends the run before anything is sent.

    """

    before_reading: Callable[[Journal | None], Awaitable[None]] | None = None

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
        another = repeats == "create"
        beginning = Beginning(in_place=True, look_first=ensure, another=another)
        self._beginning = IN_PLACE if beginning == IN_PLACE else beginning
        # A journal remembers better, and who looks first anyway need not.
        self._recent = None if another or ensure or journal is not None else Recent()
        self._journal = journal
        self._books = Bookkeeper(journal, repeats, ensure=ensure) if journal is not None else None
        self._intents = self._intents_of(self._books) if self._books is not None else None
        self._aftercare = Aftercare(caller, api, creator, repair=repair, checked=self._note_checked)
        self._tally = Tally()
        self._most_lanes = caller.gate.ceiling * (1 + _WAITING_SHARE)
        self._tasks: set[asyncio.Task[None]] = set()
        # How many lanes wait for an item or a place, and how many of them are worth keeping.
        self._idle = 0
        self._spare = 1 if self._intake.waits and journal is None else 0
        self._outcomes: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._stack = AsyncExitStack()
        self._entered = False
        self._over = False
        self._unknown = 0

    async def __aenter__(self) -> Self:
        """Begin to read and to create.

        Raises:
            JournalError: the journal cannot be used.
            RuntimeError: the run was entered before.

        """
        if self._entered:
            raise RuntimeError("a bulk run can be entered once; call create_many again")
        self._entered = True
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._intake.close)
            if self._journal is not None:
                await stack.enter_async_context(self._journal)
            if self.before_reading is not None:
                await self.before_reading(self._journal)
            self._stack = stack.pop_all()
        await self._stack.enter_async_context(self._group)
        self._caller.gate.on_room.add(self._use_room)
        if self._intents is not None:
            for work in self._intents.work:
                self._start(work)
        self._start(self._work)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is still under way, and wait until it has stopped."""
        self._over = True
        self._caller.gate.on_room.discard(self._use_room)
        for task in self._tasks:
            task.cancel()
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
            if not self._tasks:
                if not self._over:
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

    @property
    def unknown(self) -> int:
        """How many items were sent and have no outcome, because the block was left early."""
        return self._unknown

    def stop(self) -> None:
        """Read no more input. What is under way is finished, and the iteration ends after it."""
        self._intake.stop()

    async def report(self) -> BulkReport:
        """Wait for the end, and return all outcomes that were not iterated over yet.

        Raises:
            Exception: whatever the iteration raises, with a note of how many outcomes there were;
                the outcomes themselves are lost.

        """
        outcomes: list[Outcome] = []
        try:
            async for outcome in self:
                outcomes.append(outcome)  # noqa: PERF401 - a comprehension would lose their number
        except Exception as error:
            created, failed = sort_outcomes(outcomes)
            error.add_note(
                f"before that, {len(created)} restreams were created or found and {len(failed)} "
                "failed; iterate over create_many to keep such outcomes, or resume with a journal"
            )
            raise
        created, failed = sort_outcomes(outcomes)
        return BulkReport(
            created=created,
            failed=failed,
            counts=self.counts,
            duplicates=self.duplicates,
            unchecked=self.unchecked,
        )

    def _intents_of(self, books: Bookkeeper) -> Intents:
        gate = self._caller.gate
        reports = Reports(arrived=self._use_room, done=self._skip, refused=self._refuse)
        return Intents(self._intake, books, gate, most=gate.ceiling * _AHEAD_SHARE, reports=reports)

    def _start(self, work: Work) -> None:
        task = self._group.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._news.set()

    def _use_room(self) -> None:
        """Start a lane where there is work for one that nobody waits to do."""
        if self._idle or not self._caller.gate.has_room:
            return
        work = self._intents is None or self._intents.any_ready
        if work and self._tasks and len(self._tasks) < self._most_lanes:
            self._start(self._work)

    async def _guarded(self, work: Work) -> None:
        # Started from the midst of another one, also where tasks are begun eagerly.
        await asyncio.sleep(0)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - of somebody's own session, say: the iteration raises it
            self._intake.fail(error)

    async def _work(self) -> None:
        while self._wants_lane():
            self._idle += 1
            try:
                if len(self._outcomes) >= self._most_lanes:
                    await self._room_for_outcomes()
                job = await self._next()
            finally:
                self._idle -= 1
            if job is not None:
                self._use_room()
                await self._see_through(*job)

    def _wants_lane(self) -> bool:
        """Say whether a lane that is free has something to do, or to wait for."""
        if self._intents is None:
            intake = self._intake
            ended, at_once = intake.ended, not intake.waits
        else:
            ended, at_once = self._intents.ended, self._intents.any_ready
        # The idle one may have got its place already, and leave another one free.
        enough = self._idle > self._spare and not (at_once and self._caller.gate.has_room)
        return not (ended or enough)

    async def _next(self) -> _Job | None:
        if self._intents is None or self._books is None:
            item = await self._intake.next_in_place()
            if item is None:
                return None
            index, new, placed = item
            recent = self._recent
            beginning = self._beginning if recent is None or not recent.knows(new) else _AGAIN
            return index, new, beginning if placed else _unplaced(beginning), None
        intent = await self._intents.next_in_place()
        if intent is None:
            return None
        (index, new, page), placed = intent
        beginning = self._books.beginning(page)
        return index, new, beginning if placed else _unplaced(beginning), page

    async def _room_for_outcomes(self) -> None:
        """Wait for a consumer that is slower than the service."""
        while len(self._outcomes) >= self._most_lanes:
            self._drained.clear()
            await self._drained.wait()

    async def _skip(self, intent: Intent, done: Created) -> None:
        """Report an item that needs no request."""
        index, new, page = intent
        await self._room_for_outcomes()
        doubt = page.doubt
        if doubt is not None:
            await self._remember(index, new, page, done.restream.id, doubt)
        self._deliver(done, doubt)

    def _refuse(self, index: int, new: NewRestream, error: JournalError) -> None:
        """Report an item that could not be noted, and so is not sent."""
        self._deliver(Failed(index=index, request=new, error=error, attempts=0), None)

    async def _see_through(
        self, index: int, new: NewRestream, beginning: Beginning, page: Page | None
    ) -> None:
        deadline = self._caller.begin_patiently()
        try:
            end = await self._creator.create(new, deadline, beginning)
        except asyncio.CancelledError:
            self._unknown += deadline.in_doubt
            raise
        if self._books is not None and page is not None:
            self._books.end(page, end)
        if isinstance(end, Unsettled) and (why := self._caller.exchange.closed):
            # No further item could be sent; the iteration raises it after the last outcome.
            self._intake.fail(RuntimeError(why))
        doubt = end.doubt
        if doubt is not None:
            kept = end.restream.id if isinstance(end, Settled) else None
            await self._remember(index, new, page, kept, doubt)
        self._deliver(outcome_of(end, index, new), doubt)

    async def _remember(
        self, index: int, new: NewRestream, page: Page | None, kept: int | str | None, doubt: Doubt
    ) -> None:
        """Keep in mind to look once more, at the end of the run."""
        case = Case(index=index, new=new, kept=kept, doubt=doubt, page=page)
        await self._aftercare.remember(case)

    def _deliver(self, outcome: Outcome, doubt: Doubt | None) -> None:
        self._tally.add(outcome, in_doubt=doubt is not None)
        if isinstance(outcome, Created):
            self._aftercare.note(outcome.request, outcome.restream.id)
        self._outcomes.append(outcome)
        if not self._news.is_set():
            self._news.set()

    def _note_checked(self, case: Case) -> None:
        if self._books is not None and case.page is not None:
            self._books.checked(case.page)

    async def _finish(self) -> None:
        await self._aftercare.look_again()
        if self._journal is not None:
            try:
                await self._journal.flush()
            except JournalError as error:
                # What cannot be noted any more is looked for by the next run; say so all the same.
                self._intake.fail(error)


def _unplaced(beginning: Beginning) -> Beginning:
    # In an outage that nobody waits for any more there are no places to begin in.
    return attrs.evolve(beginning, in_place=False)
