"""One creation, from the first POST to its outcome: exactly one restream.

After an attempt in doubt the client does not know whether the restream exists. So before every
resend, and once more before a failure is reported, the client lists the restreams of the video and
searches for the wanted one (`existence`). This check comes right before the resend, not right
after the failure, because a slow service may still store a restream whose answer it gave up.
"""

import asyncio
from http import HTTPStatus
from typing import Final

import attrs

from restream_async._http import serialization
from restream_async._http.messages import Api, Request
from restream_async._operations.create_options import PLAIN, CreateOptions
from restream_async._operations.create_result import CreateFailed, CreateSucceeded, Doubt
from restream_async._operations.existence import CheckContext, Existence, Inconclusive, Key, key_of
from restream_async._operations.listing import Listing
from restream_async._operations.matching import Match, match_url
from restream_async._operations.shared_lists import SharedLists
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.executor import RequestExecutor
from restream_async._retry.retries import not_sent
from restream_async.errors import (
    ApiError,
    CallError,
    ClientClosedError,
    MalformedResponseError,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    TransportError,
)
from restream_async.models import NewRestream, Origin, Restream
from restream_async.settings import InDoubt

FINAL_CHECK: Final = 5.0
"""Seconds that the check before reporting a failure may take, even beyond the deadline."""

# Looked up once, not for every creation.
_POSTED: Final = Origin.POSTED
_LIST_UNDER_WAY: Final = "another list of the video was under way until the deadline"
_SAME_UNDER_WAY: Final = "an equal restream was being created until the deadline"
# A service answers so that has nothing to list, or no list call.
_NOTHING_THERE: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)
_MOST_UNRESOLVED: Final = 1000
"""Creations that ended in doubt, and are remembered as rivals of others."""


class Creator:
    """Creates the restreams of one project. Equal restreams are created one after the other."""

    def __init__(self, executor: RequestExecutor, api: Api, in_doubt: InDoubt) -> None:
        """Create through `executor`; treat doubt as `in_doubt` says."""
        self.executor = executor
        self.api = api
        self.in_doubt: InDoubt = in_doubt
        self.listing = Listing(executor, api)
        self.existence = Existence()
        self.lists = SharedLists(executor.clock.now)
        self._busy: dict[Key, asyncio.Event | None] = {}
        # Ids of restreams that were created although equal ones existed.
        self._known: dict[Key, set[int | str]] = {}
        # Creations that ended in doubt: what they made, if anything, has no known id.
        self._unresolved: dict[Key, None] = {}

    async def create(
        self, new: NewRestream, deadline: Deadline, options: CreateOptions = PLAIN
    ) -> CreateSucceeded | CreateFailed:
        """Create a restream, or find it.

        Two with the same key take turns, and the second one checks before it creates.

        Args:
            new: what to create.
            deadline: when the call ends.
            options: what is known before the first request.

        """
        key = key_of(new)
        if key in self._busy:
            if options.has_slot:
                self._release_slot()
            try:
                await self._turn(key, deadline)
            except TimeoutError:
                late = self.executor.too_late(self.api.create(new), deadline, _SAME_UNDER_WAY)
                return CreateFailed(error=late.error, attempts=0)
            check_first = options.check_first or not options.allow_equal
            options = attrs.evolve(options, has_slot=False, check_first=check_first)
        self._busy[key] = None
        try:
            result = await self._create(new, deadline, options)
            if isinstance(result, CreateSucceeded):
                deadline.in_doubt = False
                self._unresolved.pop(key, None)
            return result
        finally:
            if deadline.in_doubt:
                self._leave_unresolved(key)
            waiting = self._busy.pop(key)
            if self.lists.videos:
                self.lists.note_end(new.video_id, key)
            if waiting is not None:
                waiting.set()

    async def _create(
        self, new: NewRestream, deadline: Deadline, options: CreateOptions
    ) -> CreateSucceeded | CreateFailed:
        """Attempt, classify, wait, check, attempt again."""
        request = self.api.create(new)
        if options.plain and not self.existence.hides_keys:
            # The fast path: nearly every creation succeeds at its first attempt.
            answer = await self.executor.attempt(
                request, serialization.read_restream, deadline, has_slot=options.has_slot
            )
            if not isinstance(answer, Failure) and self.existence.accepts(new, answer):
                return CreateSucceeded(answer, 1, _POSTED)
            operation = _Creation(self, new, request, deadline, options)
            result = operation.classify(answer)
        else:
            options = self._with_known(new, options)
            operation = _Creation(self, new, request, deadline, options)
            result = await operation.start()
        if isinstance(result, Failure):
            retries = self.executor.retries(deadline)
            while isinstance(result, Failure):
                end = await retries.wait_after(result)
                if end is not None:
                    # No retry is left: check once more, as the restream may exist.
                    result = await operation.final_check(end)
                    break
                checked = await operation.check()
                result = await operation.post() if checked is None else checked
            else:
                retries.succeeded()
        if isinstance(result, Failure):
            return operation.failed(result)
        if options.allow_equal:
            self._known[key_of(new)].add(result.restream.id)
        return result

    def has_rivals(self, new: NewRestream) -> bool:
        """Return whether others are being created for the same video and stream URL."""
        key = key_of(new)
        return any(
            other != key
            and other[0] == new.video_id
            and match_url(new.stream_url, other[1]) is not Match.DIFFERENT
            for other in (*self._busy, *self._unresolved)
        )

    def _with_known(self, new: NewRestream, options: CreateOptions) -> CreateOptions:
        if not options.allow_equal:
            return options
        known = self._known.setdefault(key_of(new), set())
        known |= options.others
        return attrs.evolve(options, others=known)

    def _release_slot(self) -> None:
        self.executor.limiter.release()
        self.executor.limiter.tell_of_slot()

    def _leave_unresolved(self, key: Key) -> None:
        self._unresolved[key] = None
        if len(self._unresolved) > _MOST_UNRESOLVED:
            del self._unresolved[next(iter(self._unresolved))]

    async def _turn(self, key: Key, deadline: Deadline) -> None:
        # A patient one may wait for an outage to end; a call that is not waits for its deadline.
        longest = None if deadline.patient else deadline.remaining()
        await deadline.stop.wait_for(self._others(key), longest)

    async def _others(self, key: Key) -> None:
        while key in self._busy:
            done = self._busy[key]
            if done is None:
                done = self._busy[key] = asyncio.Event()
            await done.wait()


class _Creation:
    """The steps of one creation, and what is known of it so far."""

    def __init__(
        self,
        creator: Creator,
        new: NewRestream,
        request: Request,
        deadline: Deadline,
        options: CreateOptions,
    ) -> None:
        self._creator = creator
        self._executor = creator.executor
        self._new = new
        self._request = request
        self._deadline = deadline
        self._options = options
        self._attempts = 0
        # The latest attempt whose outcome is unknown, and how many there were.
        self._doubt: CallError | None = None
        self._doubts = 0
        # Retries left for lists, over the whole creation.
        self._list_retries = creator.executor.policy.attempts - 1
        self._checked = False
        self._absent = False
        # Whether the next POST is sent without knowing the outcome of an earlier one; and whether
        # one was.
        self._blind = False
        self._maybe_duplicate = False
        # Ids that a list showed before the latest POST; answers that were not taken as they are.
        self._before: set[int | str] | None = None
        self._claimed: dict[int | str, Restream] = {}

    async def start(self) -> CreateSucceeded | Failure:
        """Make the first attempt, and check before it where the options say so."""
        options, creator = self._options, self._creator
        blind = creator.in_doubt == "resend" or not creator.existence.hides_keys
        if blind and not (options.check_first or options.in_doubt):
            return await self.post(has_slot=options.has_slot)
        if options.has_slot:
            self._executor.limiter.release()
            self._executor.limiter.tell_of_slot()
        if options.in_doubt:
            self._doubts = 1
            self._deadline.in_doubt = True
            detail = "an earlier run ended before its answer came"
            self._doubt = TransportError(self._request.call, detail=detail, sent=True)
            checked = await self.check()
            return await self.post() if checked is None else checked
        found = await self._find(self._deadline, shared=True)
        if not options.check_first or found is None:
            # Without `check_first` the list only says what existed before.
            return await self.post()
        if isinstance(found, Failure):
            # Whether it exists is the question: without the answer nothing is sent.
            return Failure(Classification.REFUSED, found.error)
        return self._succeeded(found, Origin.EXISTING)

    async def post(self, *, has_slot: bool = False) -> CreateSucceeded | Failure:
        """Send the POST once."""
        answer = await self._executor.attempt(
            self._request,
            serialization.read_restream,
            self._deadline,
            has_slot=has_slot,
            again=self._attempts > 0,
            # The less time since the check, the less can have happened since.
            ahead=self._checked and not has_slot,
        )
        if not (isinstance(answer, Failure) and answer.classification is Classification.NOT_DONE):
            self._maybe_duplicate = self._maybe_duplicate or self._blind
        return self.classify(answer)

    def classify(self, answer: Restream | Failure) -> CreateSucceeded | Failure:
        """Return what the end of an attempt means, and note a doubt."""
        not_sent = isinstance(answer, Failure) and isinstance(answer.error, NotSentError)
        self._attempts += not not_sent
        if not isinstance(answer, Failure):
            if self._creator.existence.accepts(self._new, answer):
                return self._succeeded(answer, Origin.POSTED)
            self._claimed[answer.id] = answer
            problem = "it is about another restream than was asked for"
            error = MalformedResponseError(self._request.call, problem=problem)
            answer = Failure(Classification.IN_DOUBT, error)
        answer.error.attempts = self._attempts
        if answer.classification is Classification.IN_DOUBT:
            self._doubt = answer.error
            self._doubts += 1
        return answer

    async def check(self) -> CreateSucceeded | Failure | None:
        """Check whether an attempt in doubt has created the restream.

        Returns:
            None if the POST may be sent again: there was no doubt, the restream does not exist,
            or the check failed, and sending again is the last resort.

        """
        self._blind = self._doubt is not None
        if self._doubt is None or self._creator.in_doubt == "resend":
            return None
        found = await self._find(self._deadline)
        if isinstance(found, Failure):
            return self._after_failed_check(self._doubt, found)
        self._blind = False
        return None if found is None else self._succeeded(found, Origin.CONFIRMED)

    async def final_check(self, failure: Failure) -> CreateSucceeded | Failure:
        """Check once more before a failure is reported, so that it does not exist."""
        doubt = self._doubt
        known = isinstance(failure.error, OutcomeUnknownError)
        # An unknown outcome says more than that the client is closed.
        blind = self._creator.in_doubt == "resend" and not isinstance(
            failure.error, ClientClosedError
        )
        if doubt is None or known or blind:
            return failure
        longest = min(FINAL_CHECK, self._executor.timeout)
        deadline = self._deadline
        if deadline.remaining() < longest:
            deadline = Deadline(self._executor.clock.now, longest, stop=deadline.stop)
        found = await self._find(deadline, once=True)
        if found is None:
            # The doubt itself is no refusal: the call was stopped before it was sent again.
            stopped = self._deadline.stop.requested and failure.error is doubt
            return not_sent(self._request.call, self._attempts) if stopped else failure
        if isinstance(found, Failure):
            return self._unknown(doubt, found)
        return self._succeeded(found, Origin.CONFIRMED)

    def failed(self, failure: Failure) -> CreateFailed:
        """Return the end of a creation that did not succeed."""
        return CreateFailed(error=failure.error, attempts=self._attempts, doubt=self._uncertainty())

    def _after_failed_check(self, doubt: CallError, check: Failure) -> Failure | None:
        """Return why nothing is sent again; None where it is, as the last resort."""
        if isinstance(check.error, NotSentError):
            # The call was stopped. One more check follows.
            return check
        if self._creator.in_doubt == "raise" or isinstance(check.error, OutageError):
            return self._unknown(doubt, check)
        if _is_answer(doubt) or _is_answer(check.error):
            # An answer that cannot be read is no sign that nothing happened.
            return Failure(Classification.IN_DOUBT, doubt)
        return None

    async def _find(
        self, deadline: Deadline, *, once: bool = False, shared: bool = False
    ) -> Restream | Failure | None:
        """List the restreams of the video, and search for the wanted one."""
        listed = await (self._shared_list() if shared else self._list(deadline, once=once))
        self._checked = True
        if listed is None or isinstance(listed, Failure):
            return listed
        new, creator, options = self._new, self._creator, self._options
        known = CheckContext(
            others=options.others - {options.known_id},
            before=self._before,
            claimed=self._claimed,
            has_rivals=creator.has_rivals(new),
        )
        found = creator.existence.find(new, listed, known)
        if found is None or not self._doubts:
            self._before = {shown.id for shown in listed}
        if isinstance(found, Inconclusive):
            call = creator.api.list(new.video_id, about=new).call
            error = MalformedResponseError(call, problem=str(found), attempts=1)
            return Failure(Classification.IN_DOUBT, error)
        self._absent = self._absent or found is None
        return found

    async def _shared_list(self) -> list[Restream] | Failure | None:
        new, deadline = self._new, self._deadline
        try:
            return await deadline.stop.wait_for(
                self._creator.lists.get(
                    new.video_id,
                    key_of(new),
                    lambda: self._list(deadline),
                    recent=self._options.recent,
                    seconds=None if deadline.patient else deadline.remaining(),
                )
            )
        except TimeoutError:
            return self._executor.too_late(self._request, deadline, _LIST_UNDER_WAY)

    async def _list(
        self, deadline: Deadline, *, once: bool = False
    ) -> list[Restream] | Failure | None:
        """Request the list; None: the service has nothing to list, or cannot list."""
        listing, new = self._creator.listing, self._new
        if once:
            listed = await listing.read_finally(new.video_id, deadline, about=new)
        else:
            listed = await listing.read(
                new.video_id, deadline, about=new, on_failure=self._use_up_list_retries
            )
        if isinstance(listed, Failure):
            listed.error.attempts = listed.error.attempts or 1
            return None if self._shows_nothing(listed.error) else listed
        return listed

    def _shows_nothing(self, error: CallError) -> bool:
        """Return whether a list call that failed says that there is nothing."""
        # It proves nothing against a POST that was answered, or a journal that knows an id.
        answered = self._doubt is not None and _is_answer(self._doubt)
        if answered or self._options.known_id is not None:
            return False
        return isinstance(error, ApiError) and error.status in _NOTHING_THERE

    def _use_up_list_retries(self, failure: Failure) -> Failure:
        """Limit the retries of lists over the whole creation: they are retries within retries.

        The first check may use up all of them. It matters most: a POST that is sent again without a
        check that succeeded may create the restream twice.
        """
        if self._executor.is_uncounted(failure, self._deadline):
            return failure
        if not self._list_retries:
            return Failure(Classification.REFUSED, failure.error)
        self._list_retries -= 1
        return failure

    def _uncertainty(self) -> Doubt | None:
        if self._doubt is None:
            return None
        return Doubt(absent_before=self._absent, posts=self._doubts, others=self._options.others)

    def _succeeded(self, restream: Restream, origin: Origin) -> CreateSucceeded:
        self._creator.existence.gave(self._new, restream.id)
        return CreateSucceeded(
            restream, self._attempts, origin, self._maybe_duplicate, self._uncertainty()
        )

    def _unknown(self, doubt: CallError, check: Failure) -> Failure:
        note = (
            f"looking for it failed too ({check.error}); list the restreams of the video before "
            "creating it again"
        )
        error = OutcomeUnknownError(
            self._request.call, doubt=doubt, attempts=self._attempts, note=note
        )
        return Failure(Classification.REFUSED, error)


def _is_answer(error: CallError) -> bool:
    return isinstance(error, MalformedResponseError)
