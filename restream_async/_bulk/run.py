"""Many creations as a stream of outcomes, in bounded memory.

A run owns a few tasks. One reads the input. The others ("lanes") each take a place in the limiter
and an item, and see that item to its end. A lane that waits for a retry holds no place, so a
further one is started to use it, up to a bound, so that the items under way are bounded too; and a
lane that finds another one already waiting for a place ends.
"""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import attrs

from restream_async._bulk.graceful_stop import GracefulStop, cut_short
from restream_async._bulk.input import InputCallbacks, InputItem, InputReader, RecentItems, Work
from restream_async._bulk.journal_adapter import JournalAdapter, JournalSlot, Repeats
from restream_async._bulk.prefetch import PrefetchCallbacks, PrefetchedInput
from restream_async._bulk.reconciliation import DoubtfulCreation, Reconciliation
from restream_async._bulk.report import (
    BulkCounts,
    BulkReport,
    CountsBuilder,
    Duplicate,
    sort_outcomes,
)
from restream_async._bulk.stop_rule import StopRule
from restream_async._http.messages import Api
from restream_async._journal.journal import Journal
from restream_async._load.concurrency_limiter import GivenUpError
from restream_async._operations.create import Creator
from restream_async._operations.create_options import CreateOptions
from restream_async._operations.create_result import (
    CreateFailed,
    CreateSucceeded,
    Doubt,
    outcome_of,
)
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.executor import RequestExecutor
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import JournalError, OutcomeUnknownError, TransportError
from restream_async.models import Created, Failed, NewRestream, Outcome

_T = TypeVar("_T")

# Items that are read ahead, for each request that may be in flight: where intents are written, so
# that requests need not wait for the disk; else so that they need not wait for the reader.
_AHEAD_WITH_JOURNAL: Final = 4
_AHEAD: Final = 0.5
# Items that may wait for a retry, for each that may be in flight.
_WAITING_SHARE: Final = 4

_REPEATED: Final = CreateOptions(has_slot=True, check_first=True)
_EARLIER_DOUBT: Final = "an earlier run ended before it noted an outcome"
_EARLIER_NOTE: Final = "this run ended before it was checked; run again to find out"
_UNKNOWN_NOTE: Final = "list the restreams of the video before creating it again"


class BulkRun:
    """A bulk run: an async context manager, and an async iterator over its outcomes.

    Leaving the block early cancels what is under way and waits until it has stopped. An exception
    from the input surfaces from the iteration, after the outcomes of all that was read before it.
    So does:

    - a `JournalError`, for a journal that cannot be written any more;
    - a `RuntimeError` where the client is closed during the run, or where somebody else cancels
      tasks of the run;
    - what makes the run stop by itself, because all items would fail: `UnauthorizedError` or
      `ForbiddenError` after 5 in a row, `CertificateError`, `ProxyError`, or `OutageError` of a
      service that was never reached.

    Every item that was read has an outcome before: `OutcomeUnknownError` where it may have been
    created, and `NotSentError` where it was not sent.

    Attributes:
        before_reading: if set, awaited when the journal is open and locked, and nothing is read
            yet. It gets the journal; what it raises ends the run before anything is sent.

    """

    before_reading: Callable[[Journal | None], Awaitable[None]] | None = None

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        executor: RequestExecutor,
        api: Api,
        creator: Creator,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        journal: Journal | None = None,
        repair: bool = False,
        ensure: bool = False,
        repeats: Repeats = "existing",
        calls: CallsInProgress | None = None,
    ) -> None:
        """Prepare a run; nothing is read or sent before the block is entered."""
        self._executor = executor
        self._api = api
        self._creator = creator
        another = repeats == "create"
        self._options = CreateOptions(has_slot=True, check_first=ensure, allow_equal=another)
        # A journal remembers better, and who looks first anyway need not.
        self._recent = None if another or ensure or journal is not None else RecentItems()
        self._journal = journal
        self._books = (
            JournalAdapter(journal, repeats, ensure=ensure) if journal is not None else None
        )
        self._intake = self._intake_of(requests)
        self._calls = calls if calls is not None else CallsInProgress(executor)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = GracefulStop(self._tasks)
        self._aftercare = Reconciliation(
            executor,
            api,
            creator,
            repair=repair,
            checked=self._note_checked,
            stop=self._ending.stop,
        )
        self._refusals = StopRule()
        self._tally = CountsBuilder()
        self._most_lanes = executor.limiter.ceiling * (1 + _WAITING_SHARE)
        # Lanes that have no item, and whether one of them waits for a place.
        self._idle: set[asyncio.Task[Any]] = set()
        self._queued = False
        self._outcomes: deque[Outcome] = deque()
        self._unknown = 0
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._stack = AsyncExitStack()
        self._reader: asyncio.Task[None] | None = None
        self._entered = False
        self._finished = False
        self._over = False

    async def __aenter__(self) -> Self:
        """Begin to read and to create.

        Raises:
            JournalError: the journal cannot be used.
            ClientClosedError: the client is draining.
            RuntimeError: the run was entered before.

        """
        if self._entered:
            raise RuntimeError("a bulk run can be entered once; call create_many again")
        self._entered = True
        async with AsyncExitStack() as stack:
            self._calls.add(self, self._api.restreams_call("POST"))
            stack.callback(self._calls.discard, self)
            if self._journal is not None:
                await stack.enter_async_context(self._journal)
            if self.before_reading is not None:
                await self.before_reading(self._journal)
            await stack.enter_async_context(self._group)
            self._stack = stack.pop_all()
        self._executor.limiter.on_slot.add(self._use_room)
        self._reader, *_ = [self._start(work) for work in (*self._intake.work, self._work)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is still under way, and wait until it has stopped."""
        self._over = True
        self._executor.limiter.on_slot.discard(self._use_room)
        self._ending.finish()
        # The reader ends by itself, so that the input is closed in peace.
        self._intake.refuse()
        for task in self._tasks - {self._reader}:
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
        """How many creations after doubt were not looked for again.

        When the iteration has ended: how many could not be.
        """
        return self._aftercare.unchecked

    @property
    def unknown(self) -> int:
        """How many items may exist and have no outcome, because the block was left early."""
        return self._unknown

    def end_input(self) -> None:
        """Read no more input. What was read is created, and the iteration ends after it."""
        self._intake.stop()
        self._drained.set()

    def stop(self) -> None:
        """End within seconds.

        No more input is read, and every wait ends at once. What is on the wire has 5 seconds to
        end by itself. The iteration goes on until each item that was read is reported: what was
        not sent as `NotSentError`, what may exist all the same as `OutcomeUnknownError`.
        """
        if self._ending.stop.requested:
            return
        self._ending.begin()
        self._intake.refuse()
        self._drained.set()
        for task in self._idle:
            task.cancel()

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

    def _intake_of(
        self, requests: Iterable[NewRestream] | AsyncIterable[NewRestream]
    ) -> InputReader:
        ceiling = self._executor.limiter.ceiling
        if self._books is None:
            reports = InputCallbacks(arrived=self._use_room, unsent=self._unsent)
            return InputReader(requests, most=max(1, int(ceiling * _AHEAD)), reports=reports)
        reports = PrefetchCallbacks(
            arrived=self._use_room,
            unsent=self._unsent,
            room=self._room_for_outcomes,
            done=self._skip,
            refused=self._refuse,
        )
        return PrefetchedInput(
            requests, self._books, most=ceiling * _AHEAD_WITH_JOURNAL, reports=reports
        )

    def _start(self, work: Work) -> asyncio.Task[None]:
        task = self._group.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not (self._over or self._ending.stop.requested):
            self._intake.fail(cancelled_by_others())
            self.stop()
        if not (self._tasks or self._over):
            if self._finished:
                self._calls.discard(self)
            else:
                self._finished = True
                self._start(self._finish)
        self._news.set()

    def _use_room(self) -> None:
        """Start a lane where there is work for one that nobody waits to do."""
        if self._idle or not self._executor.limiter.has_slot or not self._intake.ready:
            return
        if self._tasks and len(self._tasks) < self._most_lanes:
            # It has no item yet.
            self._idle.add(self._start(self._work))

    async def _guarded(self, work: Work) -> None:
        # Started from the midst of another one, also where tasks are begun eagerly.
        await asyncio.sleep(0)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - of somebody's own session, say: the iteration raises it
            self._intake.fail(error)
            # No further item is begun: it might wait for this task for ever.
            self.stop()

    async def _work(self) -> None:
        self._idle.discard(_this_task())
        while (taken := await self._next()) is not None:
            self._use_room()
            await self._see_through(*taken)

    async def _next(self) -> tuple[InputItem, bool] | None:
        """Return an item, and whether there is a place in the limiter for it.

        There is no place if an outage has lasted longer than the patience of the client.
        """
        intake, limiter = self._intake, self._executor.limiter
        while True:
            if len(self._outcomes) >= self._most_lanes and not intake.stopped:
                await self._idly(self._room_for_outcomes())
            elif not intake.ready:
                if intake.ended or len(self._idle) >= limiter.ceiling:
                    break
                await self._idly(intake.arrival())
            elif limiter.try_acquire():
                return intake.take(), True
            elif self._queued:
                # It takes what is ready as soon as there is a place.
                break
            else:
                placed = await self._idly(self._place())
                if intake.ready:
                    return intake.take(), placed
        return None

    async def _idly(self, wait: Awaitable[_T]) -> _T:
        task = _this_task()
        self._idle.add(task)
        try:
            return await wait
        finally:
            self._idle.discard(task)

    async def _place(self) -> bool:
        """Wait for a place; return False if an outage outlasts the patience of the client."""
        limiter = self._executor.limiter
        self._queued = True
        try:
            await limiter.acquire(fresh=True)
        except GivenUpError:
            return False
        finally:
            self._queued = False
        if self._intake.ready:
            return True
        # Another one was faster.
        limiter.release()
        return False

    async def _room_for_outcomes(self) -> None:
        """Wait for a consumer that is slower than the service."""
        while len(self._outcomes) >= self._most_lanes and not self._intake.stopped:
            self._drained.clear()
            await self._drained.wait()

    def _options_of(self, job: InputItem) -> CreateOptions:
        """Return how the creation of an item begins that has its slot."""
        if self._recent is not None:
            return _REPEATED if self._recent.knows(job[1]) else self._options
        page = job[2]
        if page is not None and self._books is not None:
            return self._books.options(page)
        return self._options

    async def _see_through(self, job: InputItem, placed: bool) -> None:  # noqa: FBT001 - a fact, handed on
        options = self._options_of(job)
        if not placed:
            options = attrs.evolve(options, has_slot=False)
        deadline = self._executor.begin_patient_call(self._ending.stop)
        try:
            end = await self._creator.create(job[1], deadline, options)
        except BaseException:
            # Above all a cancellation, by whomever.
            in_doubt = deadline.in_doubt or options.in_doubt
            self._unknown += in_doubt and self._over
            self._conclude(job, self._cut_short(job[1], in_doubt=in_doubt))
            raise
        if isinstance(end, CreateSucceeded):
            if self._refusals.doubted:
                self._refusals.succeeded()
        elif why := self._executor.transport.closed_reason:
            # No further item could be sent; the iteration raises it after the last outcome.
            self._intake.fail(RuntimeError(why))
        elif self._refusals.stops(end.error):
            # A copy: the error of the outcome would keep the frames of the caller alive.
            self._intake.fail(copy.copy(end.error))
            self.stop()
        self._conclude(job, end)
        if end.doubt is not None:
            await self._aftercare.make_room()

    def _conclude(self, job: InputItem, end: CreateSucceeded | CreateFailed) -> None:
        """Note how an item ended, and report it."""
        index, new, page = job
        if page is not None and self._books is not None:
            self._books.end(page, new, end)
        self._deliver(outcome_of(end, index, new), page, end.doubt)

    def _cut_short(self, new: NewRestream, *, in_doubt: bool) -> CreateFailed:
        """Return the end of an item that is not gone on with."""
        error = cut_short(self._api.create(new).call, in_doubt=in_doubt, note=_UNKNOWN_NOTE)
        doubt = Doubt(absent_before=False) if in_doubt else None
        return CreateFailed(error=error, attempts=int(in_doubt), doubt=doubt)

    def _unsent(self, job: InputItem) -> None:
        """Report an item that is not begun any more."""
        end = self._cut_short(job[1], in_doubt=False)
        if self._options_of(job).in_doubt:
            # An earlier run may have created it. The next run finds out, so nothing is checked now.
            call = self._api.create(job[1]).call
            doubt = TransportError(call, detail=_EARLIER_DOUBT, sent=True)
            error = OutcomeUnknownError(call, doubt=doubt, note=_EARLIER_NOTE)
            end = CreateFailed(error=error, attempts=0)
        self._conclude(job, end)

    def _skip(self, page: JournalSlot, done: Created) -> None:
        """Report an item that needs no request."""
        self._deliver(done, page, page.doubt)

    def _refuse(self, index: int, new: NewRestream, error: JournalError) -> None:
        """Report an item that could not be noted, and so is not sent."""
        self._deliver(Failed(index=index, request=new, error=error, attempts=0), None, None)

    def _deliver(self, outcome: Outcome, page: JournalSlot | None, doubt: Doubt | None) -> None:
        if self._over:
            return
        self._tally.add(outcome, in_doubt=doubt is not None)
        kept = outcome.restream.id if isinstance(outcome, Created) else None
        if kept is not None:
            self._aftercare.note(outcome.request, kept)
        if doubt is not None:
            # It is looked for once more, at the end of the run.
            new = outcome.request
            case = DoubtfulCreation(index=outcome.index, new=new, kept=kept, doubt=doubt, page=page)
            self._aftercare.remember(case)
        self._outcomes.append(outcome)
        if not self._news.is_set():
            self._news.set()

    def _note_checked(self, case: DoubtfulCreation) -> None:
        if self._books is not None and case.page is not None:
            self._books.checked(case.page)

    async def _finish(self) -> None:
        if not self._ending.grace_over:
            await self._aftercare.look_again()
        # From here on it is for the journal, which is not cut off.
        self._ending.finish()
        if self._journal is not None:
            # What cannot be noted any more is looked for by the next run; say so all the same.
            await self._journal.flush()


def _this_task() -> asyncio.Task[Any]:
    return cast("asyncio.Task[Any]", asyncio.current_task())
