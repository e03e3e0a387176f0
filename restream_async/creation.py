"""One creation, from the first POST to a certain end: never twice, and never lost.

After an attempt in doubt nobody knows whether the restream is there. So before every resend, and
once more before a failure is reported, the restreams of the video are listed and searched for
`videoId + streamUrl + streamKey`. The look comes right before the resend, not right after the
failure, because a slow service may still be storing what it has already given up answering.
"""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

import attrs

from restream_async import codec
from restream_async.calls import Caller
from restream_async.config import InDoubt
from restream_async.deadline import Deadline
from restream_async.errors import (
    ApiError,
    CallError,
    ClientClosedError,
    NotSentError,
    OutageError,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
)
from restream_async.model import Failed, NewRestream, Origin, Outcome, Restream, make_created
from restream_async.verdict import Failure, Verdict
from restream_async.wire import Api

LAST_LOOK: Final = 5.0
"""Seconds that the look before reporting a failure may take, even beyond the deadline."""

# Looked up once, not for every creation.
_POSTED: Final = Origin.POSTED
_SAME_UNDER_WAY: Final = "an equal restream was being created until the deadline"
# What a service answers that has nothing to list, or cannot list.
_NOTHING_THERE: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)


class Key(tuple[str, str, str]):
    """What makes two restreams the same one: video, stream URL and stream key."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return nothing of it: it is a local where a traceback may be printed with its locals."""
        return "Key(***)"


def key_of(restream: NewRestream | Restream) -> Key:
    """Return the key of a restream."""
    return Key((restream.video_id, restream.stream_url, restream.stream_key))


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
        in_place: a place in the gate is already taken for its first request.
        look_first: create only if it is absent.
        in_doubt: an earlier run may have created it.
        another: it is wanted though an equal one may exist.
        others: ids of equal ones that it must not be taken for.

    """

    in_place: bool = False
    look_first: bool = False
    in_doubt: bool = False
    another: bool = False
    others: AbstractSet[int | str] = frozenset()


PLAIN: Final = Beginning()
IN_PLACE: Final = Beginning(in_place=True)
LOOK_FIRST: Final = Beginning(look_first=True)


class Creator:
    """Creates restreams, one at a time for each key."""

    def __init__(self, caller: Caller, api: Api, in_doubt: InDoubt) -> None:
        """Work with a caller on one project, and with doubt as `in_doubt` says."""
        self._caller = caller
        self._api = api
        self._in_doubt: InDoubt = in_doubt
        self._busy: dict[Key, asyncio.Event | None] = {}
        self._known: dict[Key, set[int | str]] = {}

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
                self._caller.gate.leave()
                self._caller.gate.tell_of_room()
            try:
                await self._turn(key, deadline)
            except TimeoutError:
                late = self._caller.late(self._api.create(new), deadline, _SAME_UNDER_WAY)
                return Unsettled(error=late.error, attempts=0)
            beginning = attrs.evolve(beginning, in_place=False, look_first=not beginning.another)
        self._busy[key] = None
        try:
            first: Failure | None = None
            if beginning is IN_PLACE or beginning is PLAIN:
                # Nearly all need no more than this.
                caller = self._caller
                send = caller.attempt_in_place if beginning.in_place else caller.attempt
                result = await send(self._api.create(new), codec.restream, deadline)
                if not isinstance(result, Failure):
                    return Settled(result, 1, _POSTED)
                first = result
            return await self._pursue(new, deadline, beginning, first)
        finally:
            waiting = self._busy.pop(key)
            if waiting is not None:
                waiting.set()

    async def _pursue(
        self, new: NewRestream, deadline: Deadline, beginning: Beginning, first: Failure | None
    ) -> Settled | Unsettled:
        known: set[int | str] = set()
        if beginning.another:
            known = self._known.setdefault(key_of(new), known)
            known |= beginning.others
            beginning = attrs.evolve(beginning, others=known)
        course = _Course(self._caller, self._api, self._in_doubt, new, deadline, beginning)
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
        caller: Caller,
        api: Api,
        in_doubt: InDoubt,
        new: NewRestream,
        deadline: Deadline,
        beginning: Beginning,
    ) -> None:
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

    async def run(self, first: Failure | None) -> Settled | Unsettled:
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
        if not (beginning.look_first or beginning.in_doubt):
            return await self._post(in_place=beginning.in_place)
        if beginning.in_place:
            self._caller.gate.leave()
            self._caller.gate.tell_of_room()
        if beginning.in_doubt:
            return await self._again()
        found = await self._look(self._deadline)
        if isinstance(found, Failure):
            # Whether it is there is the question: without the answer nothing is sent.
            return Failure(Verdict.REFUSED, found.error)
        return self._settle(found, Origin.EXISTING) if found else await self._post()

    async def _post(self, *, in_place: bool = False, blindly: bool = False) -> Settled | Failure:
        send = self._caller.attempt_in_place if in_place else self._caller.attempt
        result = await send(self._request, codec.restream, self._deadline, again=self._attempts > 0)
        if not (isinstance(result, Failure) and result.verdict is Verdict.NOT_DONE):
            self._resent_blindly = self._resent_blindly or blindly
        return self._posted(result)

    def _posted(self, result: Restream | Failure) -> Settled | Failure:
        ended = isinstance(result, Failure) and isinstance(result.error, NotSentError)
        self._attempts += not ended
        if not isinstance(result, Failure):
            return self._settle(result, Origin.POSTED)
        result.error.attempts = self._attempts
        if result.verdict is Verdict.IN_DOUBT:
            self._doubt = result.error
            self._doubtful += 1
        return result

    async def _again(self) -> Settled | Failure:
        doubt = self._doubt
        if doubt is None:
            return await self._post()
        if self._in_doubt == "resend":
            return await self._post(blindly=True)
        found = await self._look(self._deadline)
        if isinstance(found, Restream):
            return self._settle(found, Origin.CONFIRMED)
        if isinstance(found, Failure) and isinstance(found.error, NotSentError):
            # Told to end: there is one more look.
            return found
        if isinstance(found, Failure) and (
            self._in_doubt == "raise" or isinstance(found.error, OutageError)
        ):
            return self._unknown(doubt, found)
        return await self._post(blindly=isinstance(found, Failure))

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
            return failure
        if isinstance(found, Failure):
            return self._unknown(doubt, found)
        return self._settle(found, Origin.CONFIRMED)

    async def _look(self, deadline: Deadline, *, once: bool = False) -> Restream | Failure | None:
        request = self._api.list(self._new.video_id, about=self._new)
        if once:
            found = await self._caller.attempt_finally(request, codec.restreams, deadline)
        else:
            found = await self._caller.insist(request, codec.restreams, deadline, heed=self._tire)
        if isinstance(found, Failure):
            found.error.attempts = found.error.attempts or 1
            gone = isinstance(found.error, ApiError) and found.error.status in _NOTHING_THERE
            return None if gone else found
        matches = copies_of(self._new, found, self._beginning.others)
        self._absent = self._absent or not matches
        return matches[0] if matches else None

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
        return Settled(
            restream=restream,
            attempts=self._attempts,
            origin=origin,
            maybe_duplicate=self._resent_blindly,
            doubt=self._doubts(),
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


def copies_of(
    new: NewRestream, restreams: Sequence[Restream], others: AbstractSet[int | str] = frozenset()
) -> list[Restream]:
    """Return those restreams that are the wanted one, except `others`, which are not."""
    wanted = key_of(new)
    return [item for item in restreams if key_of(item) == wanted and item.id not in others]


def restream_or_raise(end: Settled | Unsettled) -> Restream:
    """Return the restream, or raise what kept it from being created.

    Raises:
        RestreamError: it was not created, or nobody knows.

    """
    if isinstance(end, Unsettled):
        raise end.error
    return end.restream


def outcome_of(end: Settled | Unsettled, index: int, new: NewRestream) -> Outcome:
    """Return what to tell of an end: the restream, or what kept it from being created."""
    if isinstance(end, Unsettled):
        return Failed(index=index, request=new, error=end.error, attempts=end.attempts)
    return make_created(index, new, end.restream, end.attempts, end.origin, end.maybe_duplicate)
