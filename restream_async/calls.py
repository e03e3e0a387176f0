"""One call: through the gate, over the network, judged; and again, where that is safe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import attrs

from restream_async.errors import AttemptTimeoutError
from restream_async.gate import Gate
from restream_async.policy import RetryPolicy, pursue
from restream_async.timing import Timing
from restream_async.verdict import Failure, Verdict, judge
from restream_async.wire import NoReply, Reply, Request

_T = TypeVar("_T")

_LEAST_TIME: Final = 0.001
"""Seconds; an attempt that is cut sooner could bring nothing but a doubt."""


class Exchange(Protocol):
    """Whoever can send a request and bring back what came of it."""

    @property
    def closed(self) -> str:
        """Why nothing can be sent any more; empty while it can."""
        ...

    async def send(self, request: Request, timeout: float) -> Reply | NoReply:  # noqa: ASYNC109 - of one attempt
        """Send once; `timeout` seconds for all of it."""
        ...


@attrs.define
class Tally:
    """What a client has sent so far."""

    attempts: int = 0
    retries: int = 0


@attrs.frozen(kw_only=True)
class Caller:
    """Makes calls for everybody in one client.

    Attributes:
        exchange: sends.
        gate: says how many may be in flight.
        policy: says when to try again.
        timing: time, sleep and chance.
        timeout: seconds for one attempt, from when it has its place.
        secrets: what no text may repeat.
        tally: counts what was sent.
        on_wait: told whenever somebody begins to wait without a place in the gate.

    """

    exchange: Exchange
    gate: Gate
    policy: RetryPolicy
    timing: Timing
    timeout: float
    secrets: tuple[str, ...] = attrs.field(repr=False)
    tally: Tally = attrs.field(factory=Tally)
    on_wait: set[Callable[[], None]] = attrs.field(factory=set[Callable[[], None]])

    def deadline(self) -> float:
        """Return the moment, on the clock of `timing`, at which a call that begins now ends."""
        return self.timing.now() + self.policy.deadline

    async def attempt(
        self, request: Request, read: Callable[[object], _T], until: float
    ) -> _T | Failure:
        """Wait for a place, send once, judge what came back."""
        if not await self._enter(until):
            detail = f"no free place among {self.gate.in_flight} in flight before the deadline"
            error = AttemptTimeoutError(request.call, detail=detail, sent=False)
            return Failure(Verdict.NOT_DONE, error)
        return await self.attempt_in_place(request, read, until)

    async def attempt_in_place(
        self, request: Request, read: Callable[[object], _T], until: float
    ) -> _T | Failure:
        """Send once, judge what came back. The caller has a place; it is given back here."""
        left = until - self.timing.now()
        if left < _LEAST_TIME:
            self.gate.leave()
            detail = "no time was left before the deadline"
            error = AttemptTimeoutError(request.call, detail=detail, sent=False)
            return Failure(Verdict.NOT_DONE, error)
        self.tally.attempts += 1
        try:
            answer = await self.exchange.send(request, min(self.timeout, left))
        finally:
            self.gate.leave()
        return judge(request, answer, read, secrets=self.secrets, wall_clock=self.timing.wall_clock)

    async def insist(
        self,
        request: Request,
        read: Callable[[object], _T],
        until: float,
        *,
        heed: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Attempt until it succeeds, is refused, or the policy has had enough.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            until: the moment on the clock of `timing` at which all ends.
            heed: sees every failure, and may return what it means for this call.

        """
        attempts = 0

        async def once() -> _T | Failure:
            nonlocal attempts
            attempts += 1
            result = await self.attempt(request, read, until)
            if not isinstance(result, Failure):
                return result
            result.error.attempts = attempts
            return heed(result)

        result = await once()
        if isinstance(result, Failure):
            result = await self.pursue(result, once, until)
        return result

    async def pursue(
        self, first: Failure, again: Callable[[], Awaitable[_T | Failure]], until: float
    ) -> _T | Failure:
        """Go on after a first failure, as the policy says; each further attempt is a retry."""

        async def retry() -> _T | Failure:
            self.tally.retries += 1
            return await again()

        self.tell_of_wait()
        return await pursue(first, retry, policy=self.policy, timing=self.timing, until=until)

    def tell_of_wait(self) -> None:
        """Tell that somebody waits without a place, which others may use meanwhile."""
        for tell in self.on_wait:
            tell()

    async def _enter(self, until: float) -> bool:
        if self.gate.try_enter():
            return True
        try:
            async with asyncio.timeout(until - self.timing.now()):
                await self.gate.enter()
        except TimeoutError:
            return False
        return True


def unless_in_doubt(note: str) -> Callable[[Failure], Failure]:
    """Return what makes an attempt in doubt final, for a call that must not be repeated."""

    def heed(failure: Failure) -> Failure:
        if failure.verdict is not Verdict.IN_DOUBT:
            return failure
        failure.error.note = note
        return Failure(Verdict.REFUSED, failure.error)

    return heed


def value_or_raise(result: _T | Failure) -> _T:
    """Return the value, or raise the failure's error.

    Raises:
        RestreamError: whatever the failure is.

    """
    if isinstance(result, Failure):
        raise result.error
    return result
