"""The request executor: one attempt of a call, or a call with its retries.

An attempt waits for a slot in the concurrency limiter, sends the request once, and classifies the
answer.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, Self, TypeVar

import attrs

from restream_async._http.messages import NoResponse, Request, Response
from restream_async._load.adaptive_limit import Signal
from restream_async._load.concurrency_limiter import ConcurrencyLimiter, GivenUpError
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Classification, Failure, classify
from restream_async._retry.deadline import NEVER, Deadline, Stop
from restream_async._retry.policy import RetryPolicy
from restream_async._retry.retries import Retries, not_sent, service_is_out
from restream_async._util.clock import Clock
from restream_async.errors import AttemptTimeoutError, NotSentError
from restream_async.settings import HoldsKey

_T = TypeVar("_T")

_LEAST_TIME: Final = 0.001
"""Seconds; an attempt that is cut sooner could bring nothing but a doubt."""
_FAIR: Final = 3.0
"""Times as long as on an idle service: an attempt that was cut sooner, by the deadline of its call,
says nothing about the service."""

_BRIEF: Final = 2.0
"""Seconds for the final attempt of a call that was stopped."""

# In Python 3.11 a member of an enum costs as much to look up as a call of a function does.
_GOOD: Final = Signal.GOOD


class Sender(Protocol):
    """Sends a request once, and returns the response."""

    @property
    def closed_reason(self) -> str:
        """Why nothing can be sent any more; empty while it can."""
        ...

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - of one attempt
        """Send once; `timeout` seconds for all of it."""
        ...


@attrs.define
class RequestCounts:
    """What a client has sent so far."""

    attempts: int = 0
    retries: int = 0


@attrs.frozen(kw_only=True)
class RequestExecutor(HoldsKey):
    """Sends the requests of one client.

    Attributes:
        transport: sends.
        limiter: says how many may be in flight.
        policy: says when to try again.
        clock: time, sleep and chance.
        timeout: seconds for one attempt, from when it has its place.
        secrets: what no text may repeat.
        budget: says how many retries the service can be asked to bear.
        counts: what was sent so far.

    """

    transport: Sender
    limiter: ConcurrencyLimiter
    policy: RetryPolicy
    clock: Clock
    timeout: float
    secrets: tuple[str, ...] = attrs.field(repr=False)
    budget: RetryBudget = attrs.Factory(
        lambda executor: RetryBudget(executor.clock.now), takes_self=True
    )
    counts: RequestCounts = attrs.field(factory=RequestCounts)

    @classmethod
    def adaptive(  # noqa: PLR0913 - the parts of a client, handed over once
        cls,
        transport: Sender,
        *,
        ceiling: int,
        patience: float,
        policy: RetryPolicy,
        clock: Clock,
        timeout: float,
        secrets: tuple[str, ...] = (),
    ) -> Self:
        """Return one with a limiter of its own, for up to `ceiling` requests in flight.

        An outage of more than `patience` seconds is not waited for.
        """
        limiter = ConcurrencyLimiter.adaptive(
            ceiling, patience, clock, longest_pause=policy.longest_wait
        )
        return cls(
            transport=transport,
            limiter=limiter,
            policy=policy,
            clock=clock,
            timeout=timeout,
            secrets=secrets,
        )

    def begin_call(self, stop: Stop = NEVER) -> Deadline:
        """Note that a call begins, and return when it has to end; `stop` tells it to end before."""
        self.budget.earn()
        return Deadline(self.clock.now, self.policy.deadline, stop=stop)

    def begin_patient_call(self, stop: Stop = NEVER) -> Deadline:
        """Note the same; its end moves on for as long as an outage holds the client."""
        self.budget.earn()
        return Deadline(self.clock.now, self.policy.deadline, self.limiter.held, stop)

    async def attempt(  # noqa: PLR0913 - what an attempt depends on
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        has_slot: bool = False,
        again: bool = False,
        ahead: bool = False,
    ) -> _T | Failure:
        """Acquire a slot, send the request once, and classify the answer.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            deadline: when the call ends.
            has_slot: whether the caller has acquired a slot. It is released here.
            again: whether the request follows a failure.
            ahead: whether to go ahead of all requests that wait for a slot.

        """
        limiter = self.limiter
        if not has_slot and (deadline.stop.requested or not limiter.try_acquire()):
            refused = await self._acquire(request, deadline, ahead=ahead)
            if refused is not None:
                return refused
        timeout, left = self.timeout, deadline.remaining()
        if left < timeout:
            if left < max(_LEAST_TIME, limiter.idle_latency(request.method)):
                limiter.release()
                return self.too_late(
                    request, deadline, "too little time was left before the deadline"
                )
            timeout = left
        self.counts.attempts += 1
        self.counts.retries += again
        request.again = again
        now = self.clock.now
        started = now()
        try:
            answer = await self.transport.send(request, timeout)
            result = classify(
                request, answer, read, secrets=self.secrets, wall_clock=self.clock.wall_clock
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
        return self._failed(request, result, deadline, started, latency, timeout)

    async def final_attempt(
        self, request: Request, read: Callable[[object], _T], deadline: Deadline
    ) -> _T | Failure:
        """Attempt once, even if the call was stopped; then wait only briefly for a slot.

        In an outage such an attempt fails at once.
        """
        result = await self.attempt(request, read, deadline)
        if (
            isinstance(result, Failure)
            and isinstance(result.error, NotSentError)
            and self.limiter.state != "open"
        ):
            brief = Deadline(self.clock.now, min(_BRIEF, self.timeout))
            result = await self.attempt(request, read, brief)
        return result

    async def send_with_retries(
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        on_failure: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Send a request until it succeeds, is refused, or the retry policy allows no more.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            deadline: when the call ends.
            on_failure: sees every failure, and may return what it means for this call.

        """
        return await self.with_retries(
            lambda again: self.attempt(request, read, deadline, again=again),
            deadline,
            on_failure=on_failure,
        )

    async def with_retries(
        self,
        attempt: Callable[[bool], Awaitable[_T | Failure]],
        deadline: Deadline,
        *,
        on_failure: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Do the same with an attempt that may take several requests.

        Args:
            attempt: makes one attempt; gets whether it follows a failure.
            deadline: when the call ends.
            on_failure: sees every failure, and may return what it means for this call.

        """
        attempts = 0
        retries: Retries | None = None
        while isinstance(result := await attempt(attempts > 0), Failure):
            attempts += not isinstance(result.error, NotSentError)
            result.error.attempts = attempts
            retries = retries or self.retries(deadline)
            if (end := await retries.wait_after(on_failure(result))) is not None:
                return end
        if retries is not None:
            retries.succeeded()
        return result

    def retries(self, deadline: Deadline) -> Retries:
        """Return the retry loop of a call whose first attempt has failed."""
        # The call holds no slot now, so another item may use it.
        self.limiter.tell_of_slot()
        return Retries(
            self.policy,
            self.clock,
            deadline,
            self.limiter,
            self.budget,
            is_uncounted=lambda failure: self.is_uncounted(failure, deadline),
        )

    def is_uncounted(self, failure: Failure, deadline: Deadline) -> bool:
        """Return whether an attempt that has failed now does not count as an attempt.

        A patient call that waits for the service to come back does not use up its attempts by
        probes. One that cannot connect while others succeed does, or it would go on for ever.
        """
        away = not (failure.connected or failure.overtaken)
        paced = failure.limited and not self._is_singled_out(deadline)
        return deadline.patient and (away or paced or self.limiter.state == "open")

    def too_late(self, request: Request, deadline: Deadline, detail: str) -> Failure:
        """Return the failure of a request that was not sent before the deadline, and why."""
        if deadline.stop.requested:
            return not_sent(request.call)
        if self.limiter.state == "open":
            return service_is_out(self.limiter, request.call)
        error = AttemptTimeoutError(request.call, detail=detail, sent=False)
        return Failure(Classification.NOT_DONE, error)

    def _is_singled_out(self, deadline: Deadline) -> bool:
        """Return whether a call gets 429s that have nothing to do with the pace of the client.

        It has had more of them than it has attempts, and in between others were accepted.
        """
        return deadline.limited > self.policy.attempts

    async def _acquire(
        self, request: Request, deadline: Deadline, *, ahead: bool
    ) -> Failure | None:
        """Wait for a slot; return why there is none."""
        if deadline.stop.requested:
            return not_sent(request.call)
        # A single call waits less than its deadline for a service that was never reached.
        patient = deadline.patient or not self.limiter.reached
        acquiring = self.limiter.acquire(patient=patient, ahead=ahead)
        waits_since = deadline.clock()
        try:
            await deadline.stop.wait_for(
                acquiring, None if deadline.patient else deadline.remaining()
            )
        except GivenUpError:
            return service_is_out(self.limiter, request.call)
        except TimeoutError:
            limiter = self.limiter
            detail = f"no free place among {limiter.in_flight} in flight before the deadline"
            if limiter.paced:
                detail = "no turn at the pace of the service (429) before the deadline"
            return self.too_late(request, deadline, detail)
        finally:
            deadline.excuse(waits_since)
        return None

    def _failed(  # noqa: PLR0913, PLR0917 - what is known of the attempt
        self,
        request: Request,
        failure: Failure,
        deadline: Deadline,
        started: float,
        latency: float,
        timeout: float,
    ) -> Failure:
        """Note a failed attempt, and release its slot."""
        limiter = self.limiter
        if not failure.connected and limiter.succeeded_since(started):
            failure = attrs.evolve(failure, overtaken=True)
        if failure.limited:
            deadline.limited += limiter.succeeded_since(deadline.limited_at)
            deadline.limited_at = started
        if request.sent and failure.classification is Classification.IN_DOUBT:
            deadline.in_doubt = True
        cut_by_deadline = timeout < self.timeout and isinstance(failure.error, AttemptTimeoutError)
        if cut_by_deadline and latency < _FAIR * limiter.idle_latency(request.method):
            limiter.release(latency=latency, started=started)
            return failure
        if failure.answered and failure.classification is Classification.REFUSED:
            # The service dealt with it, whatever it thought of it.
            limiter.succeeded()
        elif failure.final:
            # Nothing that will be over some time.
            limiter.note(failure.error)
        else:
            limiter.failed(failure.error, connected=failure.connected, latency=latency)
        signal = failure.signal
        if signal is Signal.LIMITED and self._is_singled_out(deadline):
            signal = _GOOD
        # Without a kind where the service had time for it: the latency of an error says nothing.
        kind = request.method if signal is Signal.SHED else ""
        limiter.release(signal, latency, kind, started, failure.retry_after)
        return failure


def final_if_in_doubt(note: str) -> Callable[[Failure], Failure]:
    """Return what makes an attempt in doubt final, for a call that must not be repeated."""

    def on_failure(failure: Failure) -> Failure:
        if failure.classification is not Classification.IN_DOUBT:
            return failure
        failure.error.note = note
        return Failure(Classification.REFUSED, failure.error)

    return on_failure


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
