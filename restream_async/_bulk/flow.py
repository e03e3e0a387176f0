"""Private: the main flow of a bulk run, from the input to the reconciliation.

    read > note the intent > acquire a slot > create > note the end > deliver > reconcile

All steps are at work at the same time, each on other items. One task reads the input (`input`).
With a journal, a second one makes the intents of what was read durable (`prefetch`). Worker tasks
(`worker_pool`) acquire slots and bring one item after the other to its outcome
(`BulkFlow._process_items`). When all these tasks have ended, a last one reconciles
(`BulkFlow._finish`).
"""

import asyncio
import copy
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Final

import attrs

from restream_async._bulk.graceful_stop import GracefulStop
from restream_async._bulk.input import InputItem, InputReader, Work
from restream_async._bulk.interrupted import interrupted_creation, unsent_creation
from restream_async._bulk.journal_adapter import JournalAdapter, JournalSlot
from restream_async._bulk.outcome_queue import OutcomeQueue
from restream_async._bulk.prefetch import PrefetchedInput
from restream_async._bulk.reconciliation import DoubtfulCreation, Reconciliation
from restream_async._bulk.repeats import RepeatDetector, Repeats
from restream_async._bulk.report import CountsBuilder
from restream_async._bulk.stop_rule import StopRule
from restream_async._bulk.worker_pool import WorkerPool
from restream_async._http.api import Api
from restream_async._journal.journal import Journal
from restream_async._operations.create import Creator
from restream_async._operations.create_result import (
    CreateFailed,
    CreateSucceeded,
    Doubt,
    outcome_of,
)
from restream_async._retry.executor import RequestExecutor
from restream_async._telemetry import RunSpan
from restream_async._util.tasks import cancelled_by_others
from restream_async.errors import JournalError
from restream_async.models import Created, Failed, NewRestream, Outcome

# Items that are read ahead for each request that may be in flight. With a journal, requests then
# need not wait for the disk. Without one, they need not wait for the reader.
_AHEAD_WITH_JOURNAL: Final = 4
_AHEAD: Final = 0.5
# Items that may wait for a retry, for each request that may be in flight.
_WAITING_SHARE: Final = 4


class BulkFlow:
    """The tasks of one bulk run.

    Attributes:
        tasks: those that have not ended.
        outcomes: the outcomes that the consumer has not taken yet.
        counts: counts the outcomes.
        reconciliation: checks the creations in doubt again.
        unknown: how many items may exist and have no outcome, because the block was left early.

    """

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        executor: RequestExecutor,
        api: Api,
        creator: Creator,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        *,
        journal: Journal | None,
        repair: bool,
        ensure: bool,
        repeats: Repeats,
        span: RunSpan,
        on_end: Callable[[], None],
    ) -> None:
        """Prepare; `on_end` is called when all tasks have ended. They run in contexts of `span`."""
        self._executor = executor
        self._api = api
        self._creator = creator
        self._journal = journal
        self._span = span
        self._on_end = on_end
        self.tasks: set[asyncio.Task[None]] = set()
        self._graceful_stop = GracefulStop(self.tasks)
        stop = self._graceful_stop.stop
        self.reconciliation = Reconciliation(executor, api, creator, repair=repair, stop=stop)
        self._stop_rule = StopRule()
        self._repeats = RepeatDetector(repeats, ensure=ensure)
        self.counts = CountsBuilder()
        most = executor.limiter.ceiling * (1 + _WAITING_SHARE)
        self.outcomes = OutcomeQueue(most)
        adapter = JournalAdapter(journal, repeats, ensure=ensure) if journal is not None else None
        self.input = self._input_of(requests, adapter)
        self._workers = WorkerPool(
            executor.limiter,
            self.input,
            self.outcomes,
            most=most,
            tasks=self.tasks,
            start=lambda: self._start(self._process_items),
        )
        self.unknown = 0
        self._group = asyncio.TaskGroup()
        self._reader: asyncio.Task[None] | None = None
        # Whether the last task was started, and whether the block of the run was left.
        self._finishing = False
        self._left = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start the tasks of the input, and a first worker."""
        self._group = group
        self._executor.limiter.slot_listeners.add(self._workers.add_worker)
        works = (*self.input.tasks, self._process_items)
        self._reader, *_ = [self._start(work) for work in works]

    def end_input(self) -> None:
        """Read no more input, and bring what was read to its outcome."""
        self.input.stop()
        self.outcomes.wake_producers()

    def stop(self) -> None:
        """End every wait, and begin no further item."""
        if self._graceful_stop.stop.requested:
            return
        self._graceful_stop.begin()
        self.input.discard()
        self.outcomes.wake_producers()
        self._workers.cancel_idle()

    def leave(self) -> None:
        """Cancel all tasks, and deliver no further outcome."""
        self._left = True
        self._executor.limiter.slot_listeners.discard(self._workers.add_worker)
        self._graceful_stop.finish()
        # The reader is not cancelled, so that it closes the input.
        self.input.discard()
        for task in self.tasks - {self._reader}:
            task.cancel()

    async def _process_items(self) -> None:
        """Bring one item after the other to its outcome, in each worker task."""
        self._workers.worker_began()
        # The input has read the item, and noted its intent in the journal.
        while (next_item := await self._workers.next_item_and_slot()) is not None:
            item, has_slot = next_item
            self._workers.add_worker()
            result = await self._create(item, has_slot=has_slot)
            self._apply_stop_rule(result)
            self._note_end(item, result)
            self._deliver(outcome_of(result, item.index, item.new), item.journal_slot, result.doubt)
            if result.doubt is not None:
                await self.reconciliation.check_oldest_if_too_many()

    async def _finish(self) -> None:
        """Reconcile, in the last task, and wait until the journal is written."""
        if not self._graceful_stop.grace_over:
            await self.reconciliation.check_all()
        # From here on nothing is cancelled.
        self._graceful_stop.finish()
        if self._journal is not None:
            # The next run checks an item whose end cannot be noted. This one reports the error.
            await self._journal.flush()

    async def _create(self, item: InputItem, *, has_slot: bool) -> CreateSucceeded | CreateFailed:
        options = (
            item.journal_slot.options
            if item.journal_slot is not None
            else self._repeats.options(item.new)
        )
        if not has_slot:
            options = attrs.evolve(options, has_slot=False)
        deadline = self._executor.begin_patient_call(self._graceful_stop.stop)
        try:
            return await self._creator.create(item.new, deadline, options)
        except BaseException:
            # Mostly a cancellation. The item has an outcome all the same.
            in_doubt = deadline.in_doubt or options.in_doubt
            self.unknown += in_doubt and self._left
            call = self._api.create(item.new).call
            self._end_unfinished(item, interrupted_creation(call, in_doubt=in_doubt))
            raise

    def _apply_stop_rule(self, result: CreateSucceeded | CreateFailed) -> None:
        """Stop the run if no further item can succeed."""
        if isinstance(result, CreateSucceeded):
            self._stop_rule.succeeded()
        elif why := self._executor.transport.closed_reason:
            # The iteration raises it after the last outcome.
            self.input.fail(RuntimeError(why))
        elif self._stop_rule.stops(result.error):
            # A copy, because the error of the outcome would keep the caller's frames alive.
            self.input.fail(copy.copy(result.error))
            self.stop()

    def _note_end(self, item: InputItem, result: CreateSucceeded | CreateFailed) -> None:
        """Note in the journal how an item ended."""
        if item.journal_slot is not None:
            item.journal_slot.note_end(item.new, result)

    def _deliver(self, outcome: Outcome, slot: JournalSlot | None, doubt: Doubt | None) -> None:
        """Hand an outcome to the consumer, and have a doubt reconciled at the end of the run."""
        if self._left:
            return
        self.counts.add(outcome, in_doubt=doubt is not None)
        kept = outcome.restream.id if isinstance(outcome, Created) else None
        if doubt is not None:
            index, new = outcome.index, outcome.request
            doubtful = DoubtfulCreation(index=index, new=new, kept=kept, doubt=doubt, slot=slot)
            self.reconciliation.remember(doubtful)
        if kept is not None:
            self.reconciliation.note_outcome(outcome.request, kept)
        self.outcomes.put(outcome)

    def _on_unsent(self, item: InputItem) -> None:
        """Report an item that is not begun any more."""
        in_doubt = item.journal_slot is not None and item.journal_slot.options.in_doubt
        call = self._api.create(item.new).call
        self._end_unfinished(item, unsent_creation(call, in_doubt=in_doubt))

    def _end_unfinished(self, item: InputItem, result: CreateFailed) -> None:
        self._note_end(item, result)
        self._deliver(outcome_of(result, item.index, item.new), item.journal_slot, result.doubt)

    def _on_refused(self, item: InputItem, error: JournalError) -> None:
        """Report an item whose intent cannot be noted, so that nothing is sent."""
        outcome = Failed(index=item.index, request=item.new, error=error, attempts=0)
        self._deliver(outcome, None, None)

    def _input_of(
        self,
        requests: Iterable[NewRestream] | AsyncIterable[NewRestream],
        adapter: JournalAdapter | None,
    ) -> InputReader:
        ceiling = self._executor.limiter.ceiling
        if adapter is None:
            return InputReader(
                requests,
                most_ahead=max(1, int(ceiling * _AHEAD)),
                on_ready=self._on_ready,
                on_unsent=self._on_unsent,
            )
        return PrefetchedInput(
            requests,
            adapter,
            most_ahead=ceiling * _AHEAD_WITH_JOURNAL,
            on_ready=self._on_ready,
            on_unsent=self._on_unsent,
            on_known=lambda slot, known: self._deliver(known, slot, slot.doubt),
            on_refused=self._on_refused,
            room=lambda: self._workers.room_for_outcomes(),  # noqa: PLW0108 - they come later
        )

    def _on_ready(self) -> None:
        self._workers.add_worker()

    def _start(self, work: Work) -> asyncio.Task[None]:
        # Not in the context of what starts the task: that may be another call of the client.
        task = self._group.create_task(self._guarded(work), context=self._span.new_context())
        self.tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled() and not (self._left or self._graceful_stop.stop.requested):
            self.input.fail(cancelled_by_others())
            self.stop()
        if not (self.tasks or self._left):
            if self._finishing:
                self._on_end()
            else:
                self._finishing = True
                self._start(self._finish)
        self.outcomes.wake_consumer()

    async def _guarded(self, work: Work) -> None:
        # With eager tasks, this runs inside the task that started it, so it must wait for its turn.
        await asyncio.sleep(0)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a session of the caller may raise anything
            self.input.fail(error)
            # A further item might wait for this task.
            self.stop()
