"""Private: one creation, from the first POST to its outcome: exactly one restream.

After an attempt in doubt the client does not know whether the restream exists. So before every
resend, and once more before a failure is reported, the client lists the restreams of the video and
searches for the wanted one (`existence_check`). This check comes right before the resend, not right
after the failure, because a slow service may still store a restream whose answer it gave up.

If the list fails after retries of its own, `in_doubt` decides. By default ("confirm") the client
then sends the POST again, as the last resort, and marks the outcome `maybe_duplicate`.
"""

from typing import Final

import attrs

from restream_async._http.api import Api
from restream_async._http.serialization import read_restream
from restream_async._operations.create_options import PLAIN, CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded
from restream_async._operations.creation import Creation, release_slot
from restream_async._operations.existence import Key, key_of
from restream_async._operations.existence_check import ExistenceChecker
from restream_async._operations.turns import Turns
from restream_async._retry.classification import Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.unsent_requests import too_late
from restream_async.models import NewRestream, Origin
from restream_async.settings import InDoubt

_EQUAL_IN_PROGRESS: Final = "an equal restream was being created until the deadline"


class Creator:
    """Creates the restreams of one project. Equal restreams are created one after the other."""

    def __init__(self, executor: RequestExecutor, api: Api, in_doubt: InDoubt) -> None:
        """Create through `executor`; treat doubt as `in_doubt` says."""
        self.executor = executor
        self.api = api
        self.in_doubt: InDoubt = in_doubt
        self.turns = Turns()
        self.checker = ExistenceChecker(executor, api, self.turns)
        self.listing, self.existence = self.checker.listing, self.checker.existence
        self._lists = self.checker.lists
        # Ids of restreams that were created although equal ones existed.
        self._equal_ids: dict[Key, set[int | str]] = {}

    async def create(
        self, new: NewRestream, deadline: Deadline, options: CreateOptions = PLAIN
    ) -> CreateSucceeded | CreateFailed:
        """Create a restream, or find it.

        A second creation with the same key waits for the first, and checks before it creates.

        Args:
            new: what to create.
            deadline: when the call ends.
            options: what is known before the first request.

        """
        key, turns = key_of(new), self.turns
        with self.executor.telemetry.creation(new) as span:
            if turns.is_taken(key):
                if options.has_slot:
                    release_slot(self.executor)
                try:
                    await turns.wait_for(key, deadline)
                except TimeoutError:
                    call = self.api.create(new).call
                    late = too_late(self.executor.limiter, call, deadline, _EQUAL_IN_PROGRESS)
                    span.failed(late.error)
                    return CreateFailed(error=late.error, attempts=0)
                check_first = options.check_first or not options.allow_equal
                options = attrs.evolve(options, has_slot=False, check_first=check_first)
            turns.begin(key)
            try:
                result = await self._create(new, deadline, options)
                if isinstance(result, CreateSucceeded):
                    deadline.in_doubt = False
                    turns.resolve(key)
                    span.created(result.origin, result.attempts, result.maybe_duplicate)
                else:
                    span.failed(result.error)
                return result
            finally:
                turns.end(key, in_doubt=deadline.in_doubt)
                if self._lists.videos:
                    self._lists.note_end(new.video_id, key)

    async def _create(
        self, new: NewRestream, deadline: Deadline, options: CreateOptions
    ) -> CreateSucceeded | CreateFailed:
        """Attempt, classify, wait, check, attempt again."""
        request = self.api.create(new)
        if options.plain and not self.existence.hides_keys:
            # The fast path: nearly every creation succeeds at its first attempt.
            answer = await self.executor.attempt(
                request, read_restream, deadline, has_slot=options.has_slot
            )
            if not isinstance(answer, Failure) and self.existence.accepts(new, answer):
                return CreateSucceeded(answer, 1, Origin.POSTED)
            creation = Creation(self.checker, new, request, deadline, options, self.in_doubt)
            result = creation.classify(answer)
        else:
            options = self._with_equal_ids(new, options)
            creation = Creation(self.checker, new, request, deadline, options, self.in_doubt)
            result = await creation.start()
        if isinstance(result, Failure):
            retries = self.executor.retries(deadline)
            while isinstance(result, Failure):
                end = await retries.wait_after(result)
                if end is not None:
                    # No retry is left: check once more, as the restream may exist.
                    result = await creation.final_check(end)
                    break
                checked = await creation.check()
                result = await creation.post() if checked is None else checked
            else:
                retries.succeeded()
        if isinstance(result, Failure):
            return creation.failed(result)
        if options.allow_equal:
            self._equal_ids[key_of(new)].add(result.restream.id)
        return result

    def _with_equal_ids(self, new: NewRestream, options: CreateOptions) -> CreateOptions:
        """Return options that know all equal restreams which the client created."""
        if not options.allow_equal:
            return options
        known = self._equal_ids.setdefault(key_of(new), set())
        known |= options.others
        return attrs.evolve(options, others=known)
