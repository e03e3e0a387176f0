"""Private: a bulk run as its user sees it: a context manager, and a stream of outcomes.

The main flow of a run is in `flow`.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from restream_async._bulk.flow import BulkFlow
from restream_async._bulk.repeats import Repeats
from restream_async._bulk.report import (
    BulkCounts,
    BulkReport,
    Duplicate,
    note_lost_outcomes,
    sort_outcomes,
)
from restream_async._http.api import Api
from restream_async._journal.journal import Journal
from restream_async._operations.create import Creator
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.executor import RequestExecutor
from restream_async.models import NewRestream, Outcome


class BulkRun:
    """A bulk run: an async context manager, and an async iterator over its outcomes.

    Leaving the block early cancels what is in progress and waits until it has ended.

    The iteration raises the following, after the outcomes of all items that were read:

    - an exception of the input;
    - `JournalError`, if the journal cannot be written any more;
    - `RuntimeError`, if the client is closed during the run, or other code cancels its tasks;
    - an error that makes the run stop by itself, because all items would fail:
      `UnauthorizedError` or `ForbiddenError` after 5 in a row, `CertificateError`, `ProxyError`, or
      `OutageError` of a service that was never reached.

    An item that such an end leaves unfinished has the outcome `Failed`: with
    `OutcomeUnknownError` if the restream may exist, and `NotSentError` if nothing was sent.

    Attributes:
        before_reading: if set, it is awaited when the journal is open and nothing is read yet. It
            gets the journal. If it raises, the run ends before anything is sent.

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
        self._api = api
        self._journal = journal
        self._calls = calls if calls is not None else CallsInProgress(executor)
        self._span = executor.telemetry.run("create_many")
        self._flow = BulkFlow(
            executor,
            api,
            creator,
            requests,
            journal=journal,
            repair=repair,
            ensure=ensure,
            repeats=repeats,
            span=self._span,
            on_end=lambda: self._calls.discard(self),
        )
        self._stack = AsyncExitStack()
        self._entered = False

    async def __aenter__(self) -> Self:
        """Begin to read and to create.

        Raises:
            JournalError: the journal cannot be used.
            ClientClosedError: the client is draining, or belongs to another event loop.
            RuntimeError: the run was entered before.

        """
        if self._entered:
            raise RuntimeError("a bulk run can be entered once; call create_many again")
        self._entered = True
        async with AsyncExitStack() as stack:
            stack.enter_context(self._span)
            self._calls.add(self, self._api.restreams_call("POST"))
            stack.callback(self._calls.discard, self)
            if self._journal is not None:
                await stack.enter_async_context(self._journal)
            if self.before_reading is not None:
                await self.before_reading(self._journal)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            self._stack = stack.pop_all()
        self._flow.start(group)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is in progress, and wait until it has ended."""
        self._flow.leave()
        failed = sum(self.counts.failed.values())
        self._span.ended({"created": self.counts.created, "failed": failed}, error)
        if not isinstance(error, asyncio.CancelledError):
            # The task group would wrap the error of the block in a group of exceptions.
            kind = error = trace = None
        await self._stack.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        """Return the run itself."""
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome, in the order in which items end.

        Raises:
            RuntimeError: the block is not entered.
            Exception: see the class.

        """
        if not self._entered:
            raise RuntimeError("enter the run first: async with client.create_many(…) as run")
        flow = self._flow
        while not flow.outcomes.ready:
            if not flow.tasks:
                flow.input.raise_error()
                raise StopAsyncIteration
            await flow.outcomes.wait_for_outcome()
        return flow.outcomes.get()

    @property
    def counts(self) -> BulkCounts:
        """The outcomes so far, in numbers."""
        return self._flow.counts.counts

    @property
    def duplicates(self) -> tuple[Duplicate, ...]:
        """Copies that were found after doubt; complete when the iteration has ended."""
        return tuple(self._flow.reconciliation.duplicates)

    @property
    def unchecked(self) -> int:
        """How many creations in doubt are not checked again yet.

        When the iteration has ended: how many could not be checked.
        """
        return self._flow.reconciliation.unchecked

    @property
    def unknown(self) -> int:
        """How many items may exist and have no outcome, because the block was left early."""
        return self._flow.unknown

    def end_input(self) -> None:
        """Read no more input. Items that were read are created, and then the iteration ends."""
        self._flow.end_input()

    def stop(self) -> None:
        """End within seconds.

        No more input is read, and every wait ends at once. Requests in flight have 5 seconds to
        end. The iteration goes on until each item that was read has its outcome: `NotSentError` if
        nothing was sent, `OutcomeUnknownError` if the restream may exist.
        """
        self._flow.stop()

    async def report(self) -> BulkReport:
        """Wait for the end, and return all outcomes that were not iterated over yet.

        Raises:
            Exception: see the class. A note says how many outcomes are lost with it.

        """
        outcomes: list[Outcome] = []
        try:
            async for outcome in self:
                outcomes.append(outcome)  # noqa: PERF401 - a comprehension would lose their number
        except Exception as error:
            note_lost_outcomes(error, outcomes)
            raise
        created, failed = sort_outcomes(outcomes)
        return BulkReport(
            created=created,
            failed=failed,
            counts=self.counts,
            duplicates=self.duplicates,
            unchecked=self.unchecked,
        )
