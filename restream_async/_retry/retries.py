"""Private: the retry loop of one call: whether it is sent again, and the wait before that.

tenacity decides when to stop and how long to wait. It is imported and entered after a first
failure only, so a call that succeeds at once does not pay for it.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.budget import RetryBudget
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async._retry.policy import RetryPolicy
from restream_async._retry.unsent_requests import not_sent, service_is_out
from restream_async._util.clock import Clock
from restream_async.errors import ApiError, NotSentError

if TYPE_CHECKING:
    from tenacity import RetryCallState

# Failures that do not count as attempts wait no longer than after this many failures, so that the
# call is sent soon after the service is back. In an outage the limiter holds the call anyway.
_MOST_UNCOUNTED: Final = 3
# Seconds. Such failures have no limit in number, so there is a shortest wait between them.
_SHORTEST_UNCOUNTED_WAIT: Final = 0.1

_log: Final = logging.getLogger("restream_async")


class Retries:
    """The retries of one call, made after its first failure.

    The call loops until it ends:

        while isinstance(result, Failure):
            if (end := await retries.wait_after(result)) is not None:
                return end
            result = await attempt(result.error)
        retries.succeeded()
    """

    def __init__(  # noqa: PLR0913 - the parts of the client that decide
        self,
        policy: RetryPolicy,
        clock: Clock,
        deadline: Deadline,
        limiter: ConcurrencyLimiter,
        budget: RetryBudget,
        *,
        is_uncounted: Callable[[Failure], bool],
    ) -> None:
        """Prepare the retries of one call.

        Args:
            policy: how many attempts, and the waits between them.
            clock: time, sleep and random numbers.
            deadline: no wait passes it.
            limiter: knows whether there is an outage.
            budget: limits the retries of all calls of the client.
            is_uncounted: whether an attempt that has failed now does not count as an attempt.

        """
        from tenacity import RetryCallState, retry_if_result  # noqa: PLC0415 - only after a failure
        from tenacity.asyncio import AsyncRetrying  # noqa: PLC0415 - as above

        self._clock = clock
        self._deadline = deadline
        self._limiter = limiter
        self._budget = budget
        self._last: Failure | None = None
        self._price = 0.0
        strategy = _Strategy(policy, clock, deadline, is_uncounted)
        # One for each call: one that tasks share mixes up their states.
        self._retrying = AsyncRetrying(
            retry=retry_if_result(_is_retryable),
            wait=strategy.wait,
            stop=strategy.stop,
            before_sleep=_log_retry,
            retry_error_callback=lambda _: None,
        )
        self._retrying.begin()
        self._state = RetryCallState(self._retrying, None, (), {})

    async def wait_after(self, failure: Failure) -> Failure | None:
        """Wait until the call may be sent again.

        Returns:
            None if it may be sent again, else the failure that the call ends with.

        """
        if self._last is None or not isinstance(failure.error, NotSentError):
            self._last = failure
        end = await self._wait_after(failure, self._last)
        if end is not None and self._deadline.stop.requested:
            return _stopped(self._last, self._deadline)
        return end

    def succeeded(self) -> None:
        """Note that the latest attempt succeeded: it costs the retry budget nothing."""
        self._budget.refund(self._price)

    async def _wait_after(self, failure: Failure, last: Failure) -> Failure | None:
        from tenacity import DoSleep  # noqa: PLC0415 - imported already

        self._state.set_result(failure)
        try:
            step = await self._retrying.iter(self._state)
        finally:
            # Its steps refer to itself, and would keep the failure until garbage collection.
            self._retrying.iter_state.reset()
        if not isinstance(step, DoSleep):
            return failure
        self._state.prepare_for_next_attempt()
        await self._deadline.stop.pause(self._clock.sleep(step))
        # A request that never reached the service is no load for it. The rate limit paces 429s.
        self._price = 1.0 if last.connected and not last.limited else 0.0
        if not await self._afford():
            return Failure(Classification.REFUSED, last.error)
        if self._deadline.patient and self._limiter.given_up:
            # Only new items may still probe: one that waits would never end.
            return service_is_out(self._limiter, last.error.call, last.error.attempts)
        return None

    async def _afford(self) -> bool:
        """Wait until the budget allows one more retry; return False if the deadline is sooner."""
        budget, deadline = self._budget, self._deadline
        # After the outage timeout a patient call sends nothing, so it needs no token.
        while not (deadline.patient and self._limiter.given_up) and not budget.spend(self._price):
            pause = budget.pause
            if pause >= deadline.remaining():
                return False
            pause *= 0.5 + self._clock.random() / 2
            budget.waiting += 1
            try:
                await deadline.stop.pause(self._clock.sleep(pause))
            finally:
                budget.waiting -= 1
        return True


class _Strategy:
    """tenacity's `wait` and `stop` for one call."""

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        deadline: Deadline,
        is_uncounted: Callable[[Failure], bool],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._deadline = deadline
        self._is_uncounted = is_uncounted
        # The failures that count as attempts, and whether the latest one does.
        self._counted = 0
        self._counts = True

    def wait(self, state: "RetryCallState") -> float:
        """Return the seconds to wait before the next attempt. tenacity asks this first."""
        failure = _failure_of(state)
        self._counts = not self._is_uncounted(failure)
        self._counted += self._counts
        failures, jitter = state.attempt_number, self._clock.random()
        if not failure.connected:
            # At least half of it. Otherwise a second without the service could use up all attempts.
            jitter = (1.0 + jitter) / 2
        if self._counts:
            return self._policy.wait(failures, failure.retry_after, jitter)
        failures = min(failures, _MOST_UNCOUNTED)
        # The rate limiter paces the whole client.
        retry_after = None if failure.limited else failure.retry_after
        return max(_SHORTEST_UNCOUNTED_WAIT, self._policy.wait(failures, retry_after, jitter))

    def stop(self, state: "RetryCallState") -> bool:
        """Return whether there is no further attempt."""
        if self._counted >= self._policy.attempts:
            return True
        # The deadline moves on for failures that do not count.
        return self._deadline.remaining() <= (state.upcoming_sleep if self._counts else 0.0)


def _stopped(last: Failure, deadline: Deadline) -> Failure:
    """Return how a call ends that was stopped after its latest failure."""
    if last.final or last.classification is Classification.IN_DOUBT or deadline.in_doubt:
        return Failure(Classification.REFUSED, last.error)
    return not_sent(last.error.call, last.error.attempts)


def _is_retryable(failure: Failure) -> bool:
    return not failure.final


def _failure_of(state: "RetryCallState") -> Failure:
    if state.outcome is None:
        raise AssertionError
    failure: Failure = state.outcome.result()
    return failure


def _log_retry(state: "RetryCallState") -> None:
    if not _log.isEnabledFor(logging.INFO):
        return
    error, attempt, wait = _failure_of(state).error, state.attempt_number, state.upcoming_sleep
    fields = {
        "restream_method": error.call.method,
        "restream_route": error.call.route,
        "restream_video_id": error.call.video_id,
        "restream_attempt": attempt,
        "restream_wait": wait,
        "restream_error": type(error).__name__,
        "restream_status": error.status if isinstance(error, ApiError) else None,
    }
    _log.info("attempt %d failed, again in %.3g s: %s", attempt, wait, error, extra=fields)
