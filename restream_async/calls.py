"""One call: through the gate, over the network, judged; and again, where that is safe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, Self, TypeVar

import attrs

from restream_async.budget import RetryBudget
from restream_async.deadline import Deadline
from restream_async.errors import AttemptTimeoutError, Call, OutageError
from restream_async.gate import Gate, GivenUpError
from restream_async.limit import Signal
from restream_async.policy import RetryPolicy, pursue
from restream_async.timing import Timing
from restream_async.verdict import Failure, Verdict, judge
from restream_async.wire import NoReply, Reply, Request

_T = TypeVar("_T")

_LEAST_TIME: Final = 0.001
"""Seconds; an attempt that is cut sooner could bring nothing but a doubt."""
_FAIR: Final = 3.0
"""Times as long as on an idle service: an attempt that was cut sooner, by the deadline of its call,
says nothing about the service."""

_OUTAGE_NOTE: Final = "try again when the service is back"

# In Python 3.11 a member of an enum costs as much to look up as a call of a function does.
_GOOD: Final = Signal.GOOD


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
        budget: says how many retries the service can be asked to bear.
        tally: counts what was sent.

    """

    exchange: Exchange
    gate: Gate
    policy: RetryPolicy
    timing: Timing
    timeout: float
    secrets: tuple[str, ...] = attrs.field(repr=False)
    budget: RetryBudget = attrs.Factory(
        lambda caller: RetryBudget(caller.timing.now), takes_self=True
    )
    tally: Tally = attrs.field(factory=Tally)

    @classmethod
    def over(  # noqa: PLR0913 - the parts of a client, handed over once
        cls,
        exchange: Exchange,
        *,
        ceiling: int,
        patience: float,
        policy: RetryPolicy,
        timing: Timing,
        timeout: float,
        secrets: tuple[str, ...] = (),
    ) -> Self:
        """Return one with a gate of its own, for up to `ceiling` requests in flight.

        An outage of more than `patience` seconds is not waited for.
        """
        gate = Gate.learning(ceiling, patience, timing, longest_pause=policy.longest_wait)
        return cls(
            exchange=exchange,
            gate=gate,
            policy=policy,
            timing=timing,
            timeout=timeout,
            secrets=secrets,
        )

    def begin(self) -> Deadline:
        """Note that a call begins, and return when it has to end."""
        self.budget.earn()
        return Deadline(self.timing.now, self.policy.deadline)

    def begin_patiently(self) -> Deadline:
        """Note the same; its end moves on for as long as an outage holds the client."""
        self.budget.earn()
        return Deadline(self.timing.now, self.policy.deadline, self.gate.held)

    async def attempt(
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        again: bool = False,
    ) -> _T | Failure:
        """Wait for a place, send once, judge what came back; `again` after a failure."""
        if not self.gate.try_enter():
            refused = await self._enter(request, deadline)
            if refused is not None:
                return refused
        return await self.attempt_in_place(request, read, deadline, again=again)

    async def attempt_in_place(
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        again: bool = False,
    ) -> _T | Failure:
        """Send once, judge what came back. The caller has a place; it is given back here."""
        gate, allowed = self.gate, self.timeout
        left = deadline.left()
        if left < allowed:
            if left < max(_LEAST_TIME, gate.idle_latency(request.method)):
                gate.leave()
                return self.late(request, "too little time was left before the deadline")
            allowed = left
        self.tally.attempts += 1
        self.tally.retries += again
        request.again = again
        now = self.timing.now
        started = now()
        try:
            answer = await self.exchange.send(request, allowed)
            result = judge(
                request, answer, read, secrets=self.secrets, wall_clock=self.timing.wall_clock
            )
        except BaseException:
            deadline.in_doubt = deadline.in_doubt or request.sent
            # A cancellation says nothing about the load.
            gate.leave(latency=now() - started)
            raise
        latency = now() - started
        if not isinstance(result, Failure):
            gate.succeeded()
            gate.leave(_GOOD, latency, request.method)
            return result
        if request.sent and result.verdict is Verdict.IN_DOUBT:
            deadline.in_doubt = True
        if (
            allowed < self.timeout
            and isinstance(result.error, AttemptTimeoutError)
            and latency < _FAIR * gate.idle_latency(request.method)
        ):
            gate.leave(latency=latency)
        else:
            self._learn(result, latency, request.method)
        return result

    def _learn(self, failure: Failure, latency: float, kind: str) -> None:
        if failure.verdict is Verdict.REFUSED:
            # The service dealt with it, whatever it thought of it.
            self.gate.succeeded()
        else:
            self.gate.failed()
        self.gate.leave(failure.signal, latency, kind)

    async def insist(
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        heed: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Attempt until it succeeds, is refused, or the policy has had enough.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            deadline: when all ends.
            heed: sees every failure, and may return what it means for this call.

        """
        attempts = 0

        async def once() -> _T | Failure:
            nonlocal attempts
            attempts += 1
            result = await self.attempt(request, read, deadline, again=attempts > 1)
            if not isinstance(result, Failure):
                return result
            result.error.attempts = attempts
            return heed(result)

        result = await once()
        if isinstance(result, Failure):
            result = await self.pursue(result, once, deadline)
        return result

    async def pursue(
        self, first: Failure, again: Callable[[], Awaitable[_T | Failure]], deadline: Deadline
    ) -> _T | Failure:
        """Go on after a first failure, as the policy says and the retry budget allows."""
        last = first
        excused = 0

        def note(failure: Failure) -> None:
            nonlocal last, excused
            last = failure
            excused += self.excuses(deadline)

        async def retry() -> _T | Failure:
            if not await self._afford(deadline):
                return Failure(Verdict.REFUSED, last.error)
            if deadline.patient and self.gate.given_up:
                # A new item may still ask; one that waits at length would always be in time to.
                return _gone(last.error.call)
            result = await again()
            if isinstance(result, Failure):
                note(result)
            return result

        note(first)
        self.gate.tell_of_room()
        return await pursue(
            first,
            retry,
            policy=self.policy,
            timing=self.timing,
            deadline=deadline,
            excused=lambda: excused,
        )

    def excuses(self, deadline: Deadline) -> bool:
        """Say whether an attempt that has failed now does not count, as it was made to ask.

        What waits for the service to come back does not burn its attempts on finding out.
        """
        return deadline.patient and self.gate.state == "outage"

    async def _afford(self, deadline: Deadline) -> bool:
        """Wait until the budget allows one more retry; return False if it does so too late."""
        budget = self.budget
        # Who is patient sends nothing to a service that is given up, and need not save up for it.
        while not ((deadline.patient and self.gate.given_up) or budget.spend()):
            pause = budget.pause
            if pause >= deadline.left():
                return False
            budget.waiting += 1
            try:
                await self.timing.sleep(pause * (0.5 + self.timing.random() / 2))
            finally:
                budget.waiting -= 1
        return True

    async def _enter(self, request: Request, deadline: Deadline) -> Failure | None:
        """Wait for a place; return why there is none."""
        try:
            if deadline.patient:
                await self.gate.enter()
            else:
                async with asyncio.timeout(deadline.left()):
                    await self.gate.enter(patient=False)
        except GivenUpError:
            return _gone(request.call)
        except TimeoutError:
            detail = f"no free place among {self.gate.in_flight} in flight before the deadline"
            return self.late(request, detail)
        return None

    def late(self, request: Request, detail: str) -> Failure:
        """Return the failure of a request that was not sent before the deadline, and why."""
        if self.gate.state == "outage":
            return _gone(request.call)
        error = AttemptTimeoutError(request.call, detail=detail, sent=False)
        return Failure(Verdict.NOT_DONE, error)


def _gone(call: Call) -> Failure:
    return Failure(Verdict.REFUSED, OutageError(call, note=_OUTAGE_NOTE))


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
