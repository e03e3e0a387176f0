"""One creation, from the first POST to a certain end: never twice, and never lost.

After an attempt in doubt nobody knows whether the restream is there. So before every resend, and
once more before a failure is reported, the restreams of the video are listed and searched for
`videoId + streamUrl + streamKey`. The look comes right before the resend, not right after the
failure, because a slow service may still be storing what it has already given up answering.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypeAlias

import attrs

from restream_async import codec
from restream_async.calls import Caller
from restream_async.config import InDoubt
from restream_async.errors import ApiError, CallError, OutcomeUnknownError
from restream_async.model import NewRestream, Origin, Restream
from restream_async.verdict import Failure, Verdict
from restream_async.wire import Api, Request

LAST_LOOK: Final = 5.0
"""Seconds that the look before reporting a failure may take, even beyond the deadline."""

# What a service answers that has nothing to list, or cannot list.
_NOTHING_THERE: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)

Key: TypeAlias = tuple[str, str, str]


def key_of(restream: NewRestream | Restream) -> Key:
    """Return what makes two restreams the same one: video, stream URL and stream key."""
    return (restream.video_id, restream.stream_url, restream.stream_key)


@attrs.frozen(kw_only=True)
class Settled:
    """A creation that came to a good end.

    Attributes:
        restream: what the service has.
        attempts: how many times the POST was sent, or tried to be sent.
        origin: how the restream came to be known.
        maybe_duplicate: whether it was resent without knowing the outcome of an attempt.
        doubted: whether an attempt was in doubt on the way.

    """

    restream: Restream
    attempts: int
    origin: Origin
    maybe_duplicate: bool = False
    doubted: bool = False


class Creator:
    """Creates restreams, one at a time for each key."""

    def __init__(self, caller: Caller, api: Api, in_doubt: InDoubt) -> None:
        """Work with a caller on one project, and with doubt as `in_doubt` says."""
        self._caller = caller
        self._api = api
        self._in_doubt: InDoubt = in_doubt
        self._busy: dict[Key, asyncio.Event | None] = {}

    async def create(
        self, new: NewRestream, until: float, *, look_first: bool = False, in_place: bool = False
    ) -> Settled:
        """Create a restream, or find it.

        Args:
            new: what to create.
            until: the moment on the caller's clock at which all ends.
            look_first: whether to look before the first POST and create only if absent.
            in_place: whether a place in the gate is already taken for the first request.

        Raises:
            RestreamError: it was not created, or nobody knows.

        """
        key = key_of(new)
        if key in self._busy:
            if in_place:
                self._caller.gate.leave()
                in_place = False
            await self._turn(key)
            look_first = True
        self._busy[key] = None
        try:
            return await _Course(self._caller, self._api, self._in_doubt, new, until).run(
                look_first=look_first, in_place=in_place
            )
        finally:
            waiting = self._busy.pop(key)
            if waiting is not None:
                waiting.set()

    async def _turn(self, key: Key) -> None:
        while key in self._busy:
            done = self._busy[key]
            if done is None:
                done = self._busy[key] = asyncio.Event()
            await done.wait()


class _Course:
    """The course of one creation."""

    def __init__(
        self, caller: Caller, api: Api, in_doubt: InDoubt, new: NewRestream, until: float
    ) -> None:
        self._caller = caller
        self._api = api
        self._in_doubt = in_doubt
        self._new = new
        self._until = until
        self._request: Request = api.create(new)
        self._attempts = 0
        self._doubt: CallError | None = None
        self._resent_blindly = False

    async def run(self, *, look_first: bool, in_place: bool) -> Settled:
        if look_first:
            if in_place:
                self._caller.gate.leave()
            found = await self._look(self._until)
            if isinstance(found, Failure):
                raise found.error
            if found is not None:
                return self._settle(found, Origin.EXISTING)
            in_place = False
        result = await self._post(in_place=in_place)
        if isinstance(result, Failure):
            result = await self._caller.pursue(result, self._again, self._until)
            if isinstance(result, Failure):
                result = await self._before_giving_up(result)
        if isinstance(result, Failure):
            result.error.attempts = self._attempts
            raise result.error
        return result

    async def _post(self, *, in_place: bool = False) -> Settled | Failure:
        send = self._caller.attempt_in_place if in_place else self._caller.attempt
        self._attempts += 1
        result = await send(self._request, codec.restream, self._until)
        if not isinstance(result, Failure):
            return self._settle(result, Origin.POSTED)
        if result.verdict is Verdict.IN_DOUBT:
            self._doubt = result.error
        return result

    async def _again(self) -> Settled | Failure:
        if self._doubt is not None:
            if self._in_doubt == "resend":
                self._resent_blindly = True
            else:
                found = await self._look(self._until)
                if isinstance(found, Restream):
                    return self._settle(found, Origin.CONFIRMED)
                if isinstance(found, Failure):
                    if self._in_doubt == "raise":
                        return self._unknown(self._doubt, found)
                    self._resent_blindly = True
        return await self._post()

    async def _before_giving_up(self, failure: Failure) -> Settled | Failure:
        """Look once more, so that nothing is called failed that exists."""
        doubt = self._doubt
        if doubt is None or self._in_doubt == "resend":
            return failure
        if isinstance(failure.error, OutcomeUnknownError):
            return failure
        grace = self._caller.timing.now() + min(LAST_LOOK, self._caller.timeout)
        found = await self._look(max(self._until, grace), once=True)
        if found is None:
            return failure
        if isinstance(found, Failure):
            return self._unknown(doubt, found)
        return self._settle(found, Origin.CONFIRMED)

    async def _look(self, until: float, *, once: bool = False) -> Restream | Failure | None:
        request = self._api.list(self._new.video_id, about=self._new)
        call = self._caller.attempt if once else self._caller.insist
        found = await call(request, codec.restreams, until)
        if isinstance(found, Failure):
            gone = isinstance(found.error, ApiError) and found.error.status in _NOTHING_THERE
            return None if gone else found
        return self._pick(found)

    def _pick(self, restreams: Sequence[Restream]) -> Restream | None:
        wanted = key_of(self._new)
        matches = [restream for restream in restreams if key_of(restream) == wanted]
        return matches[0] if matches else None

    def _settle(self, restream: Restream, origin: Origin) -> Settled:
        return Settled(
            restream=restream,
            attempts=self._attempts,
            origin=origin,
            maybe_duplicate=self._resent_blindly,
            doubted=self._doubt is not None,
        )

    def _unknown(self, doubt: CallError, look: Failure) -> Failure:
        note = (
            f"looking for it failed too ({look.error}); list the restreams of the video before "
            "creating it again"
        )
        error = OutcomeUnknownError(self._request.call, doubt=doubt, note=note)
        return Failure(Verdict.REFUSED, error)
