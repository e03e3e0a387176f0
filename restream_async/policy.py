"""Whether and when to try again: `RetryPolicy`, carried out by tenacity."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from restream_async.config import is_count, is_positive
from restream_async.deadline import Deadline
from restream_async.errors import ConfigurationError
from restream_async.timing import Timing
from restream_async.verdict import Failure

if TYPE_CHECKING:
    from tenacity import RetryCallState

_T = TypeVar("_T")

RETRY_AFTER_CAP: Final = 60.0
"""Seconds; a `Retry-After` beyond it is taken for this long."""

# What does not count waits no longer than after so many failures: it is to be sent soon after the
# service is back, and as long as that is gone the limiter holds it anyway.
_EXCUSED_FAILURES: Final = 3
# Seconds; as it may be tried without end, it is not tried all the time, however short the back-off.
_EXCUSED_WAIT: Final = 0.1

_log: Final = logging.getLogger("restream_async")


def _positive(policy: object, field: "attrs.Attribute[float]", value: object) -> None:
    del policy
    if not is_positive(value):
        raise ConfigurationError(f"RetryPolicy: {field.name} must be a number of seconds above 0")


def _whole(policy: object, field: "attrs.Attribute[int]", value: object) -> None:
    del policy
    if not is_count(value):
        raise ConfigurationError(f"RetryPolicy: {field.name} must be a whole number from 1")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How long to insist: full-jitter exponential back-off, under one deadline.

    Before the n-th repetition the wait is a random time between 0 and
    `min(cap, base * 2 ** (n - 1))` seconds ("full jitter", which spreads the clients of a service
    in trouble best). A `Retry-After` is a floor under it, up to 60 seconds; in a bulk run that of a
    429 is not, because there the whole client keeps to the rate limit. After an attempt that could
    not connect the wait is at least half as long as it may be.

    Attributes:
        attempts: how often a request is sent at most, the first time included. In a bulk run, what
            could not connect does not count, nor what asks in an outage, nor a 429 unless this
            item alone gets them again and again. The looks of a
            creation in doubt are apart: one before each resend and one at the end, and of those
            that fail `attempts - 1` are repeated over the whole creation. So it sends at most
            `attempts` POSTs and `2 * attempts - 1` looks, all under the one deadline; and one
            look more where it begins with one (`ensure`, or what a journal has in doubt).
        base: seconds; the longest first wait.
        cap: seconds; the longest wait.
        deadline: seconds for everything: attempts, waits, looks; in a bulk run, without the time
            in which nobody gets through to the service, and without waiting for a turn (the
            concurrency limit and the rate limit). No wait begins that would pass
            it, and the last attempt is cut at it. Only the last look, which keeps a restream that
            exists from being called failed, may take up to 5 seconds more.

    Raises:
        ConfigurationError: a value is not positive.

    """

    attempts: int = attrs.field(default=5, validator=_whole)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=20.0, validator=_positive)
    deadline: float = attrs.field(default=120.0, validator=_positive)

    @property
    def longest_wait(self) -> float:
        """The seconds to wait between two attempts at the most."""
        return self.cap + RETRY_AFTER_CAP

    def wait(self, failures: int, retry_after: float | None, chance: float) -> float:
        """Return the seconds to wait after so many failures.

        Args:
            failures: how many attempts have failed, from 1.
            retry_after: seconds that the service asked for, or None.
            chance: a random number from 0 up to 1.

        """
        # Multiplied, not raised: beyond the floats a product is infinite, a power an error.
        longest = min(self.cap, self.base * 2.0 ** min(failures - 1, 1000))
        return chance * longest + min(retry_after or 0.0, RETRY_AFTER_CAP)


async def pursue(  # noqa: PLR0913 - what it insists with, handed over once
    first: Failure,
    again: Callable[[], Awaitable[_T | Failure]],
    *,
    policy: RetryPolicy,
    timing: Timing,
    deadline: Deadline,
    excused: Callable[[Failure], bool] = lambda _: False,
) -> _T | Failure:
    """Try again after a first failure, as the policy says.

    tenacity is entered here and nowhere else, so a request that succeeds at once pays nothing
    for it. It sees values only: an exception, a cancellation above all, passes straight through.

    Args:
        first: how the first attempt failed.
        again: makes one more attempt.
        policy: how long to insist.
        timing: time, sleep and chance.
        deadline: the moment that no wait may pass.
        excused: whether an attempt that failed like this now does not count.

    Returns:
        The value, or the last failure.

    """
    from tenacity import retry_if_result  # noqa: PLC0415 - paid for by the first failure only
    from tenacity.asyncio import AsyncRetrying  # noqa: PLC0415 - as above

    pending: list[Failure] = [first]
    last = first
    # How many of the failures count, and whether the last one does.
    counted, counts = 0, True

    async def attempt() -> _T | Failure:
        nonlocal last, counted, counts
        result = pending.pop() if pending else await again()
        if isinstance(result, Failure):
            last = result
            counts = not excused(result)
            counted += counts
        return result

    def wait(state: "RetryCallState") -> float:
        failures, chance = state.attempt_number, timing.random()
        if not last.connected:
            # At least half of it, or a second without the service could use up all attempts.
            chance = (1.0 + chance) / 2
        if counts:
            return policy.wait(failures, last.retry_after, chance)
        failures = min(failures, _EXCUSED_FAILURES)
        # A rate limit is kept by the whole client, at its own pace.
        retry_after = None if last.limited else last.retry_after
        return max(_EXCUSED_WAIT, policy.wait(failures, retry_after, chance))

    def stop(state: "RetryCallState") -> bool:
        tired = counted >= policy.attempts
        # The deadline moves on while that lasts for which a failure does not count.
        return tired or deadline.left() <= (state.upcoming_sleep if counts else 0.0)

    def tell(state: "RetryCallState") -> None:
        _log.debug(
            "attempt %d failed, again in %.3g s: %s",
            state.attempt_number,
            state.upcoming_sleep,
            last.error,
        )

    # One of its own per call: shared between tasks it mixes up their states.
    retrying = AsyncRetrying(
        sleep=lambda seconds: deadline.stop.pause(timing.sleep(seconds)),
        wait=wait,
        stop=stop,
        retry=retry_if_result(lambda value: isinstance(value, Failure) and not value.final),
        before_sleep=tell,
        retry_error_callback=lambda _: last,
    )
    try:
        result: _T | Failure = await retrying(attempt)
    finally:
        # What it was to do next refers to itself, and so would keep the failure until the garbage
        # collector comes.
        retrying.iter_state.reset()
    return result
