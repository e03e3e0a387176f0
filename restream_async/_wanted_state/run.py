"""Private: a plan or an apply as its user sees it: a context manager, and a stream of changes.

Each video is worked on in a task of its own. Only so many tasks are ahead of the consumer that the
requests in flight reach their limit, and the changes come in the order of the input.
"""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

import attrs

from restream_async._bulk.graceful_stop import GracefulStop
from restream_async._bulk.interrupted import interrupted_error
from restream_async._bulk.stop_rule import StopRule
from restream_async._http.api import Api
from restream_async._journal.journal import Journal
from restream_async._operations.create import Creator
from restream_async._operations.draining import CallsInProgress
from restream_async._retry.executor import RequestExecutor
from restream_async._util.tasks import cancelled_by_others
from restream_async._wanted_state.change_counts import ChangeCounts
from restream_async._wanted_state.current_state import VideoReader, unread
from restream_async._wanted_state.wanted_videos import WantedInput, WantedVideo
from restream_async.changes import Change
from restream_async.errors import JournalError, RestreamError
from restream_async.models import NewRestream

_AHEAD: Final = 4
"""Videos that are begun or wait for the consumer, for each request that may be in flight. One that
waits for a retry then does not hold up the others."""


class VideoWork(Protocol):
    """The work on one video."""

    @property
    def changes(self) -> list[Change]:
        """The changes; complete after `finish`."""
        ...

    async def run(self) -> None:
        """Do it."""
        ...

    def finish(self, error: RestreamError) -> None:
        """Report with `error` what was not done when the task of `run` ended."""
        ...


MakeWork: TypeAlias = Callable[[WantedVideo, VideoReader], VideoWork]
"""Makes the work on a video, which reads it with the reader of the run."""


class WantedStateRun:
    """A plan or an apply: an async context manager, and an async iterator over its changes.

    Entering the block reads the input to its end. The changes come video by video, in the order of
    the input. Leaving the block early cancels what is in progress and waits until it has ended.

    Entering raises an exception of the input, and `InvalidRestreamError` if two items contradict
    each other. The iteration raises the following, after the changes of all videos:

    - `JournalError`, if the journal cannot be written any more;
    - `RuntimeError`, if the client is closed during the run, or other code cancels its tasks;
    - an error that makes the run stop by itself, because all videos would fail:
      `UnauthorizedError` or `ForbiddenError` after 5 in a row, `CertificateError`, `ProxyError`, or
      `OutageError` of a service that was never reached.

    Attributes:
        videos: how many videos the input names; known inside the block.
        done: how many of them are finished.
        counts: the changes so far, in numbers.

    """

    def __init__(  # noqa: PLR0913 - the parts of a client, handed over once
        self,
        executor: RequestExecutor,
        api: Api,
        creator: Creator,
        wanted: Iterable[NewRestream] | AsyncIterable[NewRestream],
        make_work: MakeWork,
        *,
        name: str,
        calls: CallsInProgress,
        journal: Journal | None = None,
    ) -> None:
        """Prepare; nothing is read or sent before the block is entered. `name` is for telemetry."""
        self._executor = executor
        self._span = executor.telemetry.run(name)
        self._api = api
        self._make_work = make_work
        self._calls = calls
        self._journal = journal
        self._input = WantedInput(wanted)
        self._tasks: set[asyncio.Task[None]] = set()
        self._graceful_stop = GracefulStop(self._tasks)
        self._stop_rule = StopRule()
        self._reader = VideoReader(
            executor=executor,
            creator=creator,
            stop=self._graceful_stop.stop,
            on_success=self._stop_rule.succeeded,
            on_failure=self._note_failure,
        )
        # Videos that are not begun; those that are, in order; and changes that can be taken.
        self._waiting: deque[WantedVideo] = deque()
        self._begun: deque[tuple[VideoWork, asyncio.Task[None]]] = deque()
        self._changes: deque[Change] = deque()
        self._stack = AsyncExitStack()
        self._entered = False
        # Whether no more videos are begun, and whether the block was left.
        self._ended = False
        self._left = False
        self.videos = 0
        self.done = 0
        self.counts = ChangeCounts()

    async def __aenter__(self) -> Self:
        """Read the input to its end, and begin with the first videos.

        Raises:
            InvalidRestreamError: two items contradict each other.
            JournalError: the journal cannot be used.
            ClientClosedError: the client is draining, or belongs to another event loop.
            RuntimeError: the run was entered before.
            Exception: an exception of the input.

        """
        if self._entered:
            raise RuntimeError("a run can be entered once; call the method of the client again")
        self._entered = True
        async with AsyncExitStack() as stack:
            stack.enter_context(self._span)
            self._calls.add(self, self._api.restreams_call("GET"))
            stack.callback(self._calls.discard, self)
            if self._journal is not None:
                await stack.enter_async_context(self._journal)
            await self._input.read(self._tasks)
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            self._stack = stack.pop_all()
        self._waiting.extend(self._input.take_videos())
        self.videos = len(self._waiting)
        self._begin_videos()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel what is in progress, and wait until it has ended."""
        self._left = self._ended = True
        self._graceful_stop.finish()
        self._waiting.clear()
        self._begun.clear()
        for task in self._tasks:
            task.cancel()
        self._span.ended(attrs.asdict(self.counts), error)
        if not isinstance(error, asyncio.CancelledError):
            # The task group would wrap the error of the block in a group of exceptions.
            kind = error = trace = None
        await self._stack.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        """Return the run itself."""
        return self

    async def __anext__(self) -> Change:
        """Return the next change.

        Raises:
            RuntimeError: the block is not entered.
            Exception: see the class.

        """
        if not self._entered:
            raise RuntimeError("enter the run first: async with client.plan(…) as run")
        while not self._changes:
            if self._begun:
                await self._wait_for_first()
            elif self._waiting:
                video = self._waiting.popleft()
                self._take(unread(video, self._unsent(video)))
            else:
                await self._finish()
                raise StopAsyncIteration
        change = self._changes.popleft()
        self.counts = self.counts.plus(change)
        return change

    def end_input(self) -> None:
        """Begin no further video; finish those that are begun.

        The restreams of the others are reported with `NotSentError`.
        """
        self._ended = True
        self._input.stop()
        self._note_end()

    def stop(self) -> None:
        """End within seconds.

        No further video is begun, and every wait ends at once. Requests in flight have 5 seconds to
        end. The iteration goes on until each wanted restream has its change: what was not done has
        `NotSentError`, and `OutcomeUnknownError` if it may have been done.
        """
        if not self._graceful_stop.stop.requested:
            self._graceful_stop.begin()
        self.end_input()

    async def _wait_for_first(self) -> None:
        """Wait for the first of the videos that are begun, and take its changes."""
        first = self._begun[0]
        await asyncio.wait([first[1]])
        # Several tasks may iterate over the run, and the block may have been left meanwhile.
        if self._begun and self._begun[0] is first:
            self._begun.popleft()
            self._finish_work(first[0])
            self._take(first[0].changes)
            self._begin_videos()

    def _take(self, changes: list[Change]) -> None:
        self._changes.extend(changes)
        self.done += 1

    def _begin_videos(self) -> None:
        most = self._executor.limiter.ceiling * _AHEAD
        while self._waiting and len(self._begun) < most and not self._ended:
            video = self._waiting.popleft()
            work = self._make_work(video, self._reader)
            context = self._span.new_context()
            task = self._group.create_task(self._guarded(work, video), context=context)
            self._tasks.add(task)
            self._begun.append((work, task))
            task.add_done_callback(partial(self._task_ended, work))
        self._note_end()

    async def _guarded(self, work: VideoWork, video: WantedVideo) -> None:
        # With eager tasks, this runs inside the code that started it, so it must wait for its turn.
        await asyncio.sleep(0)
        try:
            with self._executor.telemetry.video(video.wanted[0]):
                await work.run()
        except JournalError as error:
            # Nothing more may be created, but what is in progress may end. The changes get a copy,
            # because the error will hold the frames of the iteration that raises it.
            self._input.fail(error)
            work.finish(copy.copy(error))
            self.end_input()
        except Exception as error:  # noqa: BLE001 - a session of the caller may raise anything
            self._input.fail(error)
            self.stop()

    def _task_ended(self, work: VideoWork, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not (self._left or self._graceful_stop.stop.requested):
            self._input.fail(cancelled_by_others())
            self.stop()
        self._finish_work(work)
        self._note_end()

    def _finish_work(self, work: VideoWork) -> None:
        # Nothing is left to report unless the task was interrupted.
        call = self._api.restreams_call("GET")
        work.finish(interrupted_error(call, in_doubt=False, note=""))

    def _note_failure(self, error: RestreamError) -> None:
        """Stop the run if no further video can succeed."""
        if why := self._executor.transport.closed_reason:
            # The iteration raises it after the last change.
            self._input.fail(RuntimeError(why))
            self.end_input()
        elif self._stop_rule.stops(error):
            # A copy, because the error of the change would keep the caller's frames alive.
            self._input.fail(copy.copy(error))
            self.stop()

    def _note_end(self) -> None:
        """Tell the client if nothing is in progress and nothing more is begun."""
        if not self._tasks and (self._ended or not self._waiting):
            self._calls.discard(self)

    async def _finish(self) -> None:
        """Wait until the journal is written, and raise the error of the run."""
        self._graceful_stop.finish()
        if self._journal is not None and not self._left:
            await self._journal.flush()
        self._input.raise_error()

    def _unsent(self, video: WantedVideo) -> RestreamError:
        call = self._api.list(video.video_id, about=video.wanted[0]).call
        return interrupted_error(call, in_doubt=False, note="")
