"""One call: through the limiter, over the network, judged; and again, where that is safe."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, Self, TypeVar

import attrs

from restream_async.adaptive_limit import Signal
from restream_async.budget import RetryBudget
from restream_async.concurrency_limiter import ConcurrencyLimiter, GivenUpError
from restream_async.config import HoldsKey
from restream_async.deadline import NEVER, Deadline, Stop
from restream_async.errors import AttemptTimeoutError, Call, NotSentError, OutageError
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

_BRIEF: Final = 2.0
"""Seconds for the final attempt of a call that was stopped."""
_OUTAGE_NOTE: Final = "try again when the service is back"
_NEVER_REACHED_NOTE: Final = "check base_url and the network"

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
class Caller(HoldsKey):
    """Makes calls for everybody in one client.

    Attributes:
        exchange: sends.
        limiter: says how many may be in flight.
        policy: says when to try again.
        timing: time, sleep and chance.
        timeout: seconds for one attempt, from when it has its place.
        secrets: what no text may repeat.
        budget: says how many retries the service can be asked to bear.
        tally: counts what was sent.

    """

    exchange: Exchange
    limiter: ConcurrencyLimiter
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
        """Return one with a limiter of its own, for up to `ceiling` requests in flight.

        An outage of more than `patience` seconds is not waited for.
        """
        limiter = ConcurrencyLimiter.adaptive(
            ceiling, patience, timing, longest_pause=policy.longest_wait
        )
        return cls(
            exchange=exchange,
            limiter=limiter,
            policy=policy,
            timing=timing,
            timeout=timeout,
            secrets=secrets,
        )

    def begin(self, stop: Stop = NEVER) -> Deadline:
        """Note that a call begins, and return when it has to end; `stop` tells it to end before."""
        self.budget.earn()
        return Deadline(self.timing.now, self.policy.deadline, stop=stop)

    def begin_patiently(self, stop: Stop = NEVER) -> Deadline:
        """Note the same; its end moves on for as long as an outage holds the client."""
        self.budget.earn()
        return Deadline(self.timing.now, self.policy.deadline, self.limiter.held, stop)

    async def attempt(
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        again: bool = False,
        ahead: bool = False,
    ) -> _T | Failure:
        """Wait for a place, send once, judge what came back.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            deadline: when all ends.
            again: whether it follows a failure.
            ahead: whether to go ahead of all that wait for a place.

        """
        if deadline.stop.requested or not self.limiter.try_acquire():
            refused = await self._enter(request, deadline, ahead=ahead)
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
        limiter, allowed = self.limiter, self.timeout
        left = deadline.left()
        if left < allowed:
            if left < max(_LEAST_TIME, limiter.idle_latency(request.method)):
                limiter.release()
                return self.late(request, deadline, "too little time was left before the deadline")
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
            limiter.release(latency=now() - started, started=started)
            raise
        latency = now() - started
        if not isinstance(result, Failure):
            limiter.succeeded()
            limiter.release(_GOOD, latency, request.method, started)
            return result
        if not result.connected and limiter.succeeded_since(started):
            result = attrs.evolve(result, overtaken=True)
        if result.limited:
            deadline.limited += limiter.succeeded_since(deadline.limited_at)
            deadline.limited_at = started
        if request.sent and result.verdict is Verdict.IN_DOUBT:
            deadline.in_doubt = True
        if (
            allowed < self.timeout
            and isinstance(result.error, AttemptTimeoutError)
            and latency < _FAIR * limiter.idle_latency(request.method)
        ):
            limiter.release(latency=latency, started=started)
        else:
            self._learn(request, result, latency, started, deadline)
        return result

    async def attempt_finally(
        self, request: Request, read: Callable[[object], _T], deadline: Deadline
    ) -> _T | Failure:
        """Attempt once, even if the call was stopped; then wait only briefly for a place.

        In an outage such an attempt fails at once.
        """
        result = await self.attempt(request, read, deadline)
        if (
            isinstance(result, Failure)
            and isinstance(result.error, NotSentError)
            and self.limiter.state != "outage"
        ):
            brief = Deadline(self.timing.now, min(_BRIEF, self.timeout))
            result = await self.attempt(request, read, brief)
        return result

    def _learn(
        self,
        request: Request,
        failure: Failure,
        latency: float,
        started: float,
        deadline: Deadline,
    ) -> None:
        if failure.answered and failure.verdict is Verdict.REFUSED:
            # The service dealt with it, whatever it thought of it.
            self.limiter.succeeded()
        elif failure.final:
            # Nothing that will be over some time.
            self.limiter.note(failure.error)
        else:
            self.limiter.failed(failure, latency)
        signal = failure.signal
        if signal is Signal.LIMITED and self._is_singled_out(deadline):
            signal = _GOOD
        # Without a kind where the service had time for it: the latency of an error says nothing.
        kind = request.method if signal is Signal.SHED else ""
        self.limiter.release(signal, latency, kind, started, failure.retry_after)

    def _is_singled_out(self, deadline: Deadline) -> bool:
        """Say whether a call gets 429s that have nothing to do with the pace of the client.

        It has had more of them than it has attempts, and in between others were accepted.
        """
        return deadline.limited > self.policy.attempts

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

        async def attempt(number: int) -> _T | Failure:
            return await self.attempt(request, read, deadline, again=number > 1)

        return await self.insist_on(attempt, deadline, heed=heed)

    async def insist_on(
        self,
        attempt: Callable[[int], Awaitable[_T | Failure]],
        deadline: Deadline,
        *,
        heed: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Do the same with an attempt that may take several requests.

        Args:
            attempt: makes one attempt; gets its number, from 1.
            deadline: when all ends.
            heed: sees every failure, and may return what it means for this call.

        """
        attempts = 0

        async def once() -> _T | Failure:
            nonlocal attempts
            result = await attempt(attempts + 1)
            if not isinstance(result, Failure):
                return result
            attempts += not isinstance(result.error, NotSentError)
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

        async def retry() -> _T | Failure:
            nonlocal last
            # What never reached the service, it need not bear once more.
            # Nor what is paced anyway.
            price = 1.0 if last.connected and not last.limited else 0.0
            if not await self._afford(price, deadline):
                return Failure(Verdict.REFUSED, last.error)
            if deadline.patient and self.limiter.given_up:
                # A new item may still ask; one that waits at length would always be in time to.
                return self._gone(last.error.call, last.error.attempts)
            result = await again()
            if not isinstance(result, Failure):
                self.budget.refund(price)
            elif not isinstance(result.error, NotSentError):
                last = result
            return result

        self.limiter.tell_of_slot()
        result = await pursue(
            first,
            retry,
            policy=self.policy,
            timing=self.timing,
            deadline=deadline,
            excused=lambda failure: self.excuses(failure, deadline),
        )
        if isinstance(result, Failure) and deadline.stop.requested:
            return _told_to_end(last, deadline)
        return result

    def excuses(self, failure: Failure, deadline: Deadline) -> bool:
        """Say whether an attempt that has failed now does not count, as it was made to ask.

        A call that waits for the service to come back does not use up its attempts by asking. One
        that cannot connect while others succeed does, or it would go on for ever.
        """
        away = not (failure.connected or failure.overtaken)
        paced = failure.limited and not self._is_singled_out(deadline)
        return deadline.patient and (away or paced or self.limiter.state == "outage")

    async def _afford(self, price: float, deadline: Deadline) -> bool:
        """Wait until the budget allows one more retry; return False if it does so too late."""
        budget = self.budget
        # Who is patient sends nothing to a service that is given up, and need not save up for it.
        while not ((deadline.patient and self.limiter.given_up) or budget.spend(price)):
            pause = budget.pause
            if pause >= deadline.left():
                return False
            pause *= 0.5 + self.timing.random() / 2
            budget.waiting += 1
            try:
                await deadline.stop.pause(self.timing.sleep(pause))
            finally:
                budget.waiting -= 1
        return True

    async def _enter(self, request: Request, deadline: Deadline, *, ahead: bool) -> Failure | None:
        """Wait for a place; return why there is none."""
        if deadline.stop.requested:
            return not_sent(request.call)
        # A single call waits less than its deadline for a service that was never reached.
        patient = deadline.patient or not self.limiter.reached
        entering = self.limiter.acquire(patient=patient, ahead=ahead)
        waits_since = deadline.clock()
        try:
            await deadline.stop.wait_for(entering, None if deadline.patient else deadline.left())
        except GivenUpError:
            return self._gone(request.call)
        except TimeoutError:
            limiter = self.limiter
            detail = f"no free place among {limiter.in_flight} in flight before the deadline"
            if limiter.paced:
                detail = "no turn at the pace of the service (429) before the deadline"
            return self.late(request, deadline, detail)
        finally:
            deadline.excuse(waits_since)
        return None

    def late(self, request: Request, deadline: Deadline, detail: str) -> Failure:
        """Return the failure of a request that was not sent before the deadline, and why."""
        if deadline.stop.requested:
            return not_sent(request.call)
        if self.limiter.state == "outage":
            return self._gone(request.call)
        error = AttemptTimeoutError(request.call, detail=detail, sent=False)
        return Failure(Verdict.NOT_DONE, error)

    def _gone(self, call: Call, attempts: int = 0) -> Failure:
        limiter = self.limiter
        last = limiter.last
        advice = last.note if last is not None else ""
        note = _OUTAGE_NOTE if limiter.reached else advice or _NEVER_REACHED_NOTE
        error = OutageError(call, reached=limiter.reached, last=last, attempts=attempts, note=note)
        return Failure(Verdict.REFUSED, error)


def not_sent(call: Call, attempts: int = 0) -> Failure:
    """Return the failure of a call that was stopped before it was sent, or sent again."""
    detail = "told to end before it was sent" + (" again" if attempts else "")
    error = NotSentError(call, detail=detail, sent=False, attempts=attempts)
    return Failure(Verdict.NOT_DONE, error)


def _told_to_end(last: Failure, deadline: Deadline) -> Failure:
    """Return how a call ends that is not to go on after its latest failure."""
    if last.final or last.verdict is Verdict.IN_DOUBT or deadline.in_doubt:
        return Failure(Verdict.REFUSED, last.error)
    return not_sent(last.error.call, last.error.attempts)


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
        try:
            raise result.error
        finally:
            # Else the error holds this frame, and the frame the error, until the garbage collector
            # comes.
            del result
    return result
