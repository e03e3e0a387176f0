"""One creation, from the first POST to a certain end: never twice, and never lost.

After an attempt in doubt nobody knows whether the restream is there. So before every resend, and
once more before a failure is reported, the restreams of the video are listed and searched for the
wanted one (`existence`). This check comes right before the resend, not right after the failure,
because a slow service may still be storing what it has already given up answering.
"""

import asyncio
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

import attrs

from restream_async import codec
from restream_async.calls import Caller, not_sent
from restream_async.config import InDoubt
from restream_async.deadline import Deadline
from restream_async.errors import (
    ApiError,
    CallError,
    ClientClosedError,
    MalformedResponseError,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
)
from restream_async.existence import Existence, Inconclusive, Key, Known, key_of
from restream_async.listing import Listing
from restream_async.matching import Match, match_url
from restream_async.model import Failed, NewRestream, Origin, Outcome, Restream, make_created
from restream_async.shared_lists import SharedLists
from restream_async.verdict import Failure, Verdict
from restream_async.wire import Api

LAST_LOOK: Final = 5.0
"""Seconds that the look before reporting a failure may take, even beyond the deadline."""

# Looked up once, not for every creation.
_POSTED: Final = Origin.POSTED
_LIST_UNDER_WAY: Final = "another list of the video was under way until the deadline"
_SAME_UNDER_WAY: Final = "an equal restream was being created until the deadline"
# What a service answers that has nothing to list, or no list call.
_NOTHING_THERE: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)
_MOST_UNRESOLVED: Final = 1000
"""Creations that ended in doubt, and are remembered as rivals of others."""


@attrs.frozen(kw_only=True)
class Doubt:
    """What was uncertain on the way of a creation.

    Attributes:
        absent_before: whether a look before the last POST showed that the restream was not
            there, so that a copy that turns up later was not there before.
        posts: how many attempts were in doubt: so many copies can come from this creation, besides
            the one that its outcome tells of.
        others: ids of equal restreams that are wanted as well; it may still grow.

    """

    absent_before: bool
    posts: int = 1
    others: AbstractSet[int | str] = frozenset()


# Neither frozen nor by keyword: one is made for each creation, and that takes three times as long.
@attrs.define
class Settled:
    """A creation that came to a good end.

    Attributes:
        restream: what the service has.
        attempts: how many times the POST was sent, or tried to be sent.
        origin: how the restream came to be known.
        maybe_duplicate: whether it was resent without knowing the outcome of an attempt.
        doubt: what was uncertain on the way, or None.

    """

    restream: Restream
    attempts: int
    origin: Origin
    maybe_duplicate: bool = False
    doubt: Doubt | None = None


@attrs.frozen(kw_only=True)
class Unsettled:
    """A creation that failed, or of which nobody knows.

    Attributes:
        error: why.
        attempts: how many times the POST was sent, or tried to be sent.
        doubt: what was uncertain on the way, or None.

    """

    error: RestreamError
    attempts: int
    doubt: Doubt | None = None


@attrs.frozen(kw_only=True)
class Beginning:
    """What is known of a creation before its first POST.

    Attributes:
        in_place: a place in the limiter is already taken for its first request.
        look_first: create only if it is absent.
        recent: a recent list is good enough to look at first, see `shared_lists`.
        in_doubt: an earlier run may have created it.
        another: it is wanted though an equal one may exist.
        others: ids of equal ones that it must not be taken for.
        own: the id by which an earlier run knew it.

    """

    in_place: bool = False
    look_first: bool = False
    recent: bool = False
    in_doubt: bool = False
    another: bool = False
    others: AbstractSet[int | str] = frozenset()
    own: int | str | None = None


PLAIN: Final = Beginning()
IN_PLACE: Final = Beginning(in_place=True)
LOOK_FIRST: Final = Beginning(look_first=True)
LOOK_RECENTLY: Final = Beginning(look_first=True, recent=True)


class Creator:
    """Creates restreams, one at a time for each key."""

    def __init__(self, caller: Caller, api: Api, in_doubt: InDoubt) -> None:
        """Work with a caller on one project, and with doubt as `in_doubt` says."""
        self._caller = caller
        self._api = api
        self._in_doubt: InDoubt = in_doubt
        self.listing = Listing(caller, api)
        self.existence = Existence()
        self._busy: dict[Key, asyncio.Event | None] = {}
        self._known: dict[Key, set[int | str]] = {}
        self.lists = SharedLists(caller.timing.now)
        # Creations that ended in doubt: what they made, if anything, has no known id.
        self._unresolved: dict[Key, None] = {}

    async def create(
        self, new: NewRestream, deadline: Deadline, beginning: Beginning = PLAIN
    ) -> Settled | Unsettled:
        """Create a restream, or find it.

        Two with the same key take turns, and the second one looks before it creates.

        Args:
            new: what to create.
            deadline: when all ends.
            beginning: what is known before the first POST.

        """
        key = key_of(new)
        if key in self._busy:
            if beginning.in_place:
                self._caller.limiter.release()
                self._caller.limiter.tell_of_slot()
            try:
                await self._turn(key, deadline)
            except TimeoutError:
                late = self._caller.late(self._api.create(new), deadline, _SAME_UNDER_WAY)
                return Unsettled(error=late.error, attempts=0)
            look_first = beginning.look_first or not beginning.another
            beginning = attrs.evolve(beginning, in_place=False, look_first=look_first)
        self._busy[key] = None
        try:
            first: Restream | Failure | None = None
            existence = self.existence
            if (beginning is IN_PLACE or beginning is PLAIN) and not existence.hides_keys:
                # Nearly all need no more than this.
                caller = self._caller
                send = caller.attempt_in_place if beginning.in_place else caller.attempt
                result = await send(self._api.create(new), codec.restream, deadline)
                if not isinstance(result, Failure) and existence.accepts(new, result):
                    return Settled(result, 1, _POSTED)
                first = result
            end = await self._pursue(new, deadline, beginning, first)
            if isinstance(end, Settled):
                deadline.in_doubt = False
                self._unresolved.pop(key, None)
            return end
        finally:
            if deadline.in_doubt:
                self._leave_unresolved(key)
            waiting = self._busy.pop(key)
            if self.lists.videos:
                self.lists.note_end(new.video_id, key)
            if waiting is not None:
                waiting.set()

    def has_rivals(self, new: NewRestream) -> bool:
        """Say whether others are being created for the same video and stream URL."""
        key = key_of(new)
        return any(
            other != key
            and other[0] == new.video_id
            and match_url(new.stream_url, other[1]) is not Match.DIFFERENT
            for other in (*self._busy, *self._unresolved)
        )

    def _leave_unresolved(self, key: Key) -> None:
        self._unresolved[key] = None
        if len(self._unresolved) > _MOST_UNRESOLVED:
            del self._unresolved[next(iter(self._unresolved))]

    async def _pursue(
        self,
        new: NewRestream,
        deadline: Deadline,
        beginning: Beginning,
        first: Restream | Failure | None,
    ) -> Settled | Unsettled:
        known: set[int | str] = set()
        if beginning.another:
            known = self._known.setdefault(key_of(new), known)
            known |= beginning.others
            beginning = attrs.evolve(beginning, others=known)
        course = _Course(self, self._caller, self._api, self._in_doubt, new, deadline, beginning)
        end = await course.run(first)
        if isinstance(end, Settled):
            known.add(end.restream.id)
        return end

    async def _turn(self, key: Key, deadline: Deadline) -> None:
        # One that is patient may wait for an outage to end, which is no reason for others to.
        longest = None if deadline.patient else deadline.left()
        await deadline.stop.wait_for(self._others(key), longest)

    async def _others(self, key: Key) -> None:
        while key in self._busy:
            done = self._busy[key]
            if done is None:
                done = self._busy[key] = asyncio.Event()
            await done.wait()


class _Course:
    """The course of one creation."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a creation, handed over once
        self,
        creator: Creator,
        caller: Caller,
        api: Api,
        in_doubt: InDoubt,
        new: NewRestream,
        deadline: Deadline,
        beginning: Beginning,
    ) -> None:
        self._creator = creator
        self._caller = caller
        self._api = api
        self._in_doubt = in_doubt
        self._new = new
        self._deadline = deadline
        self._beginning = beginning
        self._request = api.create(new)
        self._attempts = 0
        self._doubt: CallError | None = None
        self._doubtful = 0
        self._repeats = caller.policy.attempts - 1
        self._absent = False
        self._resent_blindly = False
        # Ids that a list showed before the latest POST; answers that were not taken as they are.
        self._before: set[int | str] | None = None
        self._checked = False
        self._claimed: dict[int | str, Restream] = {}

    async def run(self, first: Restream | Failure | None) -> Settled | Unsettled:
        """See the creation to its end; `first` is how a first POST failed, if one was made."""
        result = await self._first() if first is None else self._posted(first)
        if isinstance(result, Failure):
            result = await self._caller.pursue(result, self._again, self._deadline)
        if isinstance(result, Failure):
            result = await self._before_giving_up(result)
        if isinstance(result, Failure):
            return Unsettled(error=result.error, attempts=self._attempts, doubt=self._doubts())
        return result

    async def _first(self) -> Settled | Failure:
        beginning = self._beginning
        if beginning.in_doubt:
            self._doubtful = 1
            self._deadline.in_doubt = True
            self._doubt = TransportError(
                self._request.call, detail="an earlier run ended before its answer came", sent=True
            )
        blind = self._in_doubt == "resend" or not self._creator.existence.hides_keys
        if blind and not (beginning.look_first or beginning.in_doubt):
            return await self._post(in_place=beginning.in_place)
        if beginning.in_place:
            self._caller.limiter.release()
            self._caller.limiter.tell_of_slot()
        if beginning.in_doubt:
            return await self._again()
        found = await self._look(self._deadline, shared=True)
        if not beginning.look_first:
            # Only to know what was there before.
            return await self._post()
        if isinstance(found, Failure):
            # Whether it is there is the question: without the answer nothing is sent.
            return Failure(Verdict.REFUSED, found.error)
        return self._settle(found, Origin.EXISTING) if found else await self._post()

    async def _post(self, *, in_place: bool = False, blindly: bool = False) -> Settled | Failure:
        caller, again = self._caller, self._attempts > 0
        if in_place:
            send = caller.attempt_in_place(self._request, codec.restream, self._deadline)
        else:
            # The less time since the check, the less can have happened since.
            send = caller.attempt(
                self._request, codec.restream, self._deadline, again=again, ahead=self._checked
            )
        result = await send
        if not (isinstance(result, Failure) and result.verdict is Verdict.NOT_DONE):
            self._resent_blindly = self._resent_blindly or blindly
        return self._posted(result)

    def _posted(self, result: Restream | Failure) -> Settled | Failure:
        ended = isinstance(result, Failure) and isinstance(result.error, NotSentError)
        self._attempts += not ended
        if not isinstance(result, Failure):
            if self._creator.existence.accepts(self._new, result):
                return self._settle(result, Origin.POSTED)
            self._claimed[result.id] = result
            result = self._of_another()
        result.error.attempts = self._attempts
        if result.verdict is Verdict.IN_DOUBT:
            self._doubt = result.error
            self._doubtful += 1
        return result

    async def _again(self) -> Settled | Failure:
        doubt = self._doubt
        if doubt is None or self._in_doubt == "resend":
            return await self._post(blindly=doubt is not None)
        found = await self._look(self._deadline)
        if isinstance(found, Restream):
            return self._settle(found, Origin.CONFIRMED)
        if found is None:
            return await self._post()
        return self._after_failed_check(doubt, found) or await self._post(blindly=True)

    def _after_failed_check(self, doubt: CallError, check: Failure) -> Failure | None:
        """Return why nothing is sent again; None where it is, as the last resort."""
        if isinstance(check.error, NotSentError):
            # Told to end: there is one more check.
            return check
        if self._in_doubt == "raise" or isinstance(check.error, OutageError):
            return self._unknown(doubt, check)
        if _has_answered(doubt) or _has_answered(check.error):
            # An answer that cannot be read is no sign that nothing happened.
            return Failure(Verdict.IN_DOUBT, doubt)
        return None

    async def _before_giving_up(self, failure: Failure) -> Settled | Failure:
        """Look once more, so that nothing is called failed that exists."""
        doubt = self._doubt
        known = isinstance(failure.error, OutcomeUnknownError)
        # That nobody knows says more than that the client is closed.
        blind = self._in_doubt == "resend" and not isinstance(failure.error, ClientClosedError)
        if doubt is None or known or blind:
            return failure
        grace = min(LAST_LOOK, self._caller.timeout)
        deadline = self._deadline
        if deadline.left() < grace:
            deadline = Deadline(self._caller.timing.now, grace, stop=deadline.stop)
        found = await self._look(deadline, once=True)
        if found is None:
            # The doubt itself is no refusal: told to end, it was not sent again.
            stopped = self._deadline.stop.requested and failure.error is doubt
            return not_sent(self._request.call, self._attempts) if stopped else failure
        if isinstance(found, Failure):
            return self._unknown(doubt, found)
        return self._settle(found, Origin.CONFIRMED)

    async def _look(
        self, deadline: Deadline, *, once: bool = False, shared: bool = False
    ) -> Restream | Failure | None:
        listed = await (self._shared_list() if shared else self._list(deadline, once=once))
        self._checked = True
        if listed is None or isinstance(listed, Failure):
            return listed
        new, creator = self._new, self._creator
        known = Known(
            others=self._beginning.others - {self._beginning.own},
            before=self._before,
            claimed=self._claimed,
            has_rivals=creator.has_rivals(new),
        )
        found = creator.existence.find(new, listed, known)
        if found is None or not self._doubtful:
            self._before = {shown.id for shown in listed}
        if isinstance(found, Inconclusive):
            call = self._api.list(new.video_id, about=new).call
            error = MalformedResponseError(call, problem=str(found), attempts=1)
            return Failure(Verdict.IN_DOUBT, error)
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
                    recent=self._beginning.recent,
                    seconds=None if deadline.patient else deadline.left(),
                )
            )
        except TimeoutError:
            return self._caller.late(self._request, deadline, _LIST_UNDER_WAY)

    async def _list(
        self, deadline: Deadline, *, once: bool = False
    ) -> list[Restream] | Failure | None:
        """Request the list; None: the service has nothing to list, or cannot list."""
        listing, new = self._creator.listing, self._new
        if once:
            listed = await listing.read_finally(new.video_id, deadline, about=new)
        else:
            listed = await listing.read(new.video_id, deadline, about=new, heed=self._tire)
        if isinstance(listed, Failure):
            listed.error.attempts = listed.error.attempts or 1
            return None if self._shows_nothing(listed.error) else listed
        return listed

    def _shows_nothing(self, error: CallError) -> bool:
        """Say whether a list call that failed says that there is nothing."""
        # It proves nothing against a POST that was answered, or a journal that knows an id.
        answered = self._doubt is not None and _has_answered(self._doubt)
        if answered or self._beginning.own is not None:
            return False
        return isinstance(error, ApiError) and error.status in _NOTHING_THERE

    def _tire(self, failure: Failure) -> Failure:
        """Repeat failed looks only so often over the whole creation: they are retries in retries.

        The first look may use up all repetitions, because it is the one that matters most: what
        is sent again without a look that succeeded may be made twice.
        """
        if self._caller.excuses(failure, self._deadline):
            return failure
        if not self._repeats:
            return Failure(Verdict.REFUSED, failure.error)
        self._repeats -= 1
        return failure

    def _doubts(self) -> Doubt | None:
        if self._doubt is None:
            return None
        return Doubt(
            absent_before=self._absent, posts=self._doubtful, others=self._beginning.others
        )

    def _settle(self, restream: Restream, origin: Origin) -> Settled:
        self._creator.existence.gave(self._new, restream.id)
        return Settled(
            restream=restream,
            attempts=self._attempts,
            origin=origin,
            maybe_duplicate=self._resent_blindly,
            doubt=self._doubts(),
        )

    def _of_another(self) -> Failure:
        problem = "it is about another restream than was asked for"
        return Failure(
            Verdict.IN_DOUBT, MalformedResponseError(self._request.call, problem=problem)
        )

    def _unknown(self, doubt: CallError, look: Failure) -> Failure:
        note = (
            f"looking for it failed too ({look.error}); list the restreams of the video before "
            "creating it again"
        )
        error = OutcomeUnknownError(
            self._request.call, doubt=doubt, attempts=self._attempts, note=note
        )
        return Failure(Verdict.REFUSED, error)


def _has_answered(error: CallError) -> bool:
    return isinstance(error, MalformedResponseError)


def restream_or_raise(end: Settled | Unsettled) -> Restream:
    """Return the restream, or raise what kept it from being created.

    Raises:
        RestreamError: it was not created, or nobody knows.

    """
    if isinstance(end, Unsettled):
        try:
            raise end.error
        finally:
            # As in `value_or_raise`.
            del end
    return end.restream


def outcome_of(end: Settled | Unsettled, index: int, new: NewRestream) -> Outcome:
    """Return what to tell of an end: the restream, or what kept it from being created."""
    if isinstance(end, Unsettled):
        return Failed(index=index, request=new, error=end.error, attempts=end.attempts)
    return make_created(index, new, end.restream, end.attempts, end.origin, end.maybe_duplicate)
