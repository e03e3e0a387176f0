"""Private: the request executor. It makes one attempt of a call, or a call with its retries.

An attempt acquires a slot, sends the request once, and classifies the response.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, Self, TypeVar

import attrs

from restream_async._http.messages import NoResponse, Request, Response
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from restream_async._load.wait_queue import GivenUpError
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Classification, Failure, classify
from restream_async._retry.deadline import NEVER, Deadline, Stop
from restream_async._retry.policy import RetryPolicy
from restream_async._retry.retries import Retries
from restream_async._retry.uncounted_attempts import is_singled_out, is_uncounted
from restream_async._retry.unsent_requests import not_sent, service_is_out, too_late
from restream_async._telemetry import NO_TELEMETRY, ClientTelemetry
from restream_async._util.clock import Clock
from restream_async._util.holds_key import HoldsKey
from restream_async.errors import AttemptTimeoutError, CallError, NotSentError

_T = TypeVar("_T")

# Seconds. An attempt with less time left would only leave a doubt.
_SHORTEST_ATTEMPT: Final = 0.001
# Idle latencies. An attempt that the deadline cuts off earlier says nothing about the service.
_FAIR_CHANCE: Final = 3.0


class Sender(Protocol):
    """Sends a request once, and returns the response."""

    @property
    def closed_reason(self) -> str:
        """Why nothing can be sent any more; empty while it can."""
        ...

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - of one attempt
        """Send once, within `timeout` seconds."""
        ...


@attrs.define
class RequestCounts:
    """How many requests a client has sent, and how many of them were retries."""

    attempts: int = 0
    retries: int = 0


@attrs.frozen(kw_only=True)
class RequestExecutor(HoldsKey):
    """Sends the requests of one client.

    Attributes:
        transport: sends a request once.
        limiter: limits how many requests are in flight.
        policy: how many attempts, and the waits between them.
        clock: time, sleep and random numbers.
        timeout: seconds for one attempt, from when it has its slot.
        secrets: what no text may repeat.
        budget: limits the retries of all calls.
        counts: what was sent so far.
        telemetry: where attempts and retries are reported.

    """

    transport: Sender
    limiter: ConcurrencyLimiter
    policy: RetryPolicy
    clock: Clock
    timeout: float
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    budget: RetryBudget = attrs.Factory(
        lambda executor: RetryBudget(executor.clock.now), takes_self=True
    )
    counts: RequestCounts = attrs.field(factory=RequestCounts)
    telemetry: ClientTelemetry = NO_TELEMETRY

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
        telemetry: ClientTelemetry = NO_TELEMETRY,
    ) -> Self:
        """Return an executor with an adaptive limiter.

        `ceiling` is the most requests in flight; `patience` is the outage timeout in seconds.
        """
        return cls(
            transport=transport,
            limiter=ConcurrencyLimiter.adaptive(
                ceiling, patience, clock, longest_pause=policy.longest_wait
            ),
            policy=policy,
            clock=clock,
            timeout=timeout,
            secrets=secrets,
            telemetry=telemetry,
        )

    def begin_call(self, stop: Stop = NEVER) -> Deadline:
        """Note that a call begins, and return its deadline; `stop` ends it earlier."""
        self.budget.record_call()
        return Deadline(self.clock.now, self.policy.deadline, stop=stop)

    def begin_patient_call(self, stop: Stop = NEVER) -> Deadline:
        """Do the same for a call whose deadline moves on during outages."""
        self.budget.record_call()
        return Deadline(self.clock.now, self.policy.deadline, self.limiter.outage_seconds, stop)

    async def attempt(  # noqa: PLR0913 - what an attempt depends on
        self,
        request: Request,
        read: Callable[[object], _T],
        deadline: Deadline,
        *,
        has_slot: bool = False,
        after: CallError | None = None,
        ahead: bool = False,
    ) -> _T | Failure:
        """Acquire a slot, send the request once, and classify the response.

        Args:
            request: what to send.
            read: makes the value from the envelope's `result`.
            deadline: when the call ends.
            has_slot: whether the caller has acquired a slot. It is released here.
            after: why the call's previous attempt failed, and how many it has made; None at first.
            ahead: whether to go ahead of all requests that wait for a slot.

        """
        limiter = self.limiter
        if not has_slot and (deadline.stop.requested or not limiter.try_acquire()):
            refused = await self._acquire(request, deadline, ahead=ahead)
            if refused is not None:
                return refused
        timeout, remaining = self.timeout, deadline.remaining()
        if remaining < timeout:
            if remaining < max(_SHORTEST_ATTEMPT, limiter.idle_latency(request.method)):
                limiter.release()
                detail = "too little time was left before the deadline"
                return too_late(limiter, request.call, deadline, detail)
            timeout = remaining
        self.counts.attempts += 1
        request.again = after is not None
        if after is not None:
            self.counts.retries += 1
            self.telemetry.retried(after)
        span = self.telemetry.attempt(request.method, 0 if after is None else after.attempts)
        now = self.clock.now
        started = now()
        try:
            response = await self.transport.send(request, timeout)
            result = classify(
                request, response, read, secrets=self.secrets, wall_clock=self.clock.wall_clock
            )
        except BaseException as error:
            span.ended(0, error)
            deadline.in_doubt = deadline.in_doubt or request.sent
            # A cancellation says nothing about the load.
            limiter.release(latency=now() - started, started=started)
            raise
        latency = now() - started
        if not isinstance(result, Failure):
            span.ended(response.status)
            limiter.succeeded()
            limiter.release(Signal.GOOD, latency, request.method, started)
            return result
        span.ended(response.status, result.error)
        return self._failed(request, result, deadline, started, latency, timeout)

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
            lambda after: self.attempt(request, read, deadline, after=after),
            deadline,
            on_failure=on_failure,
        )

    async def with_retries(
        self,
        attempt: Callable[[CallError | None], Awaitable[_T | Failure]],
        deadline: Deadline,
        *,
        on_failure: Callable[[Failure], Failure] = lambda failure: failure,
    ) -> _T | Failure:
        """Do the same with an `attempt` of several requests; it gets the error of the last one."""
        attempts = 0
        after: CallError | None = None
        retries: Retries | None = None
        while isinstance(result := await attempt(after), Failure):
            after = result.error
            attempts = after.attempts = attempts + (not isinstance(after, NotSentError))
            retries = retries or self.retries(deadline)
            if (end := await retries.wait_after(on_failure(result))) is not None:
                return end
        if retries is not None:
            retries.succeeded()
        return result

    def retries(self, deadline: Deadline) -> Retries:
        """Return the retry loop of a call whose first attempt has failed."""
        # The call holds no slot now, so another item may use it.
        self.limiter.notify_slot_listeners()
        return Retries(
            self.policy,
            self.clock,
            deadline,
            self.limiter,
            self.budget,
            is_uncounted=lambda failure: is_uncounted(failure, deadline, self.limiter, self.policy),
        )

    async def _acquire(
        self, request: Request, deadline: Deadline, *, ahead: bool
    ) -> Failure | None:
        """Wait for a slot; return why there is none."""
        if deadline.stop.requested:
            return not_sent(request.call)
        limiter, remaining = self.limiter, deadline.remaining()
        # A single call waits less than its deadline for a service that was never reached.
        acquiring = limiter.acquire(patient=deadline.patient or not limiter.reached, ahead=ahead)
        try:
            await deadline.stop.wait_for(acquiring, None if deadline.patient else remaining)
        except GivenUpError:
            return service_is_out(limiter, request.call)
        except TimeoutError:
            detail = f"no free place among {limiter.in_flight} in flight before the deadline"
            if limiter.paced:
                detail = "no turn at the pace of the service (429) before the deadline"
            return too_late(limiter, request.call, deadline, detail)
        finally:
            deadline.restore(remaining)
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
        if cut_by_deadline and latency < _FAIR_CHANCE * limiter.idle_latency(request.method):
            limiter.release(latency=latency, started=started)
            return failure
        if failure.answered and failure.classification is Classification.REFUSED:
            # The service dealt with the request.
            limiter.succeeded()
        elif failure.final:
            # No outage: waiting does not help.
            limiter.note(failure.error)
        else:
            limiter.failed(failure.error, connected=failure.connected, latency=latency)
        signal = failure.signal
        if signal is Signal.LIMITED and is_singled_out(deadline, self.policy):
            signal = Signal.GOOD
        # The latency of an error that says nothing about the load says nothing either.
        kind = request.method if signal is Signal.SHED else ""
        limiter.release(signal, latency, kind, started, failure.retry_after)
        return failure
