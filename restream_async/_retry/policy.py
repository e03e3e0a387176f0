"""Private: `RetryPolicy`, which limits the attempts of a call and the waits between them."""

import attrs

from restream_async._load.rate_limit import RETRY_AFTER_CAP
from restream_async.errors import ConfigurationError
from restream_async.settings import is_count, is_positive


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
    """How often and for how long a call is tried: exponential backoff with full jitter.

    Before the n-th retry the wait is a random time from 0 to `min(cap, base * 2 ** (n - 1))`
    seconds ("full jitter", which spreads the retries of many clients best). A `Retry-After` of up
    to 60 seconds is added. In a bulk run that of a 429 is not, because there the whole client keeps
    to the rate limit. After an attempt that could not connect, the wait is at least half of its
    longest time.

    Attributes:
        attempts: the most times a request is sent, the first time included. In a bulk run these do
            not count: attempts that could not connect, probes in an outage, and 429s, unless one
            item alone gets them again and again. The existence checks of a creation in doubt are
            apart: one before each resend and one at the end. Of those that fail, `attempts - 1` are
            repeated over the whole creation. So a creation sends at most `attempts` POSTs and
            `2 * attempts - 1` checks, all within the one deadline; and one check more if it begins
            with one (`ensure`, or an item that a journal has in doubt).
        base: seconds; the longest first wait.
        cap: seconds; the longest wait.
        deadline: seconds for the whole call: attempts, waits and checks. In a bulk run, outages and
            waits for the concurrency limit and the rate limit do not count. No wait begins that
            would pass the deadline, and the last attempt is cut at it. Only the final check, which
            keeps a restream that exists from being reported as failed, may take up to 5 seconds
            more.

    Raises:
        ConfigurationError: a value is not positive.

    """

    attempts: int = attrs.field(default=5, validator=_whole)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=20.0, validator=_positive)
    deadline: float = attrs.field(default=120.0, validator=_positive)

    @property
    def longest_wait(self) -> float:
        """The longest time between two attempts, in seconds."""
        return self.cap + RETRY_AFTER_CAP

    def wait(self, failures: int, retry_after: float | None, jitter: float) -> float:
        """Return the seconds to wait after so many failures.

        Args:
            failures: how many attempts have failed, from 1.
            retry_after: seconds that the service asked for, or None.
            jitter: a random number from 0 to 1.

        """
        # The exponent is capped: a power beyond the largest float raises OverflowError.
        longest = min(self.cap, self.base * 2.0 ** min(failures - 1, 1000))
        return jitter * longest + min(retry_after or 0.0, RETRY_AFTER_CAP)
