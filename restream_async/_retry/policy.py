"""How long a call is tried: `RetryPolicy`."""

from typing import Final

import attrs

from restream_async.errors import ConfigurationError
from restream_async.settings import is_count, is_positive

RETRY_AFTER_CAP: Final = 60.0
"""Seconds; a `Retry-After` beyond it is taken for this long."""


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
