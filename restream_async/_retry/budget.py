"""Private: the retry budget, which limits how many retries a client adds to the load.

A token bucket, like Finagle's `RetryBudget`. Pure arithmetic on a clock.
"""

from collections.abc import Callable
from typing import Final

SHARE: Final = 0.5
"""Tokens that a call adds. A service that fails a third of all requests still gets every retry."""
RESERVE: Final = 20.0
"""Tokens at the start, and after a quiet time."""
TRICKLE: Final = 10.0
"""Tokens a second that refill the reserve, so that a client with few calls can retry each of them.
As many as in Finagle."""
MOST: Final = 200.0
"""The most tokens that many calls can add up to."""
# Seconds between two attempts to get a token: the fewer wait, the shorter.
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class RetryBudget:
    """A bucket of tokens: calls fill it, and retries that fail empty it.

    In the long run a client makes at most `SHARE` failing retries for each call, besides the
    reserve and its refill. A retry that succeeds gives its token back, as in botocore's retry
    quota: a service that deals with retries can bear them.

    Attributes:
        waiting: how many calls wait for a token.

    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with the reserve; `now` returns seconds on a monotonic clock."""
        self.waiting = 0
        self._now = now
        self._tokens = RESERVE
        self._refilled_at = now()

    @property
    def available(self) -> int:
        """How many retries could be made at once."""
        # Nothing is changed, because metrics are read in another thread.
        return int(self._tokens_at(self._now()))

    @property
    def pause(self) -> float:
        """Seconds after which a call that waits for a token had better try again."""
        return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, self.waiting / TRICKLE))

    def record_call(self) -> None:
        """Add the tokens of one call."""
        if self._tokens < MOST:
            self._tokens += SHARE

    def spend(self, price: float = 1.0) -> bool:
        """Take the tokens for a retry, and return True, if there are enough."""
        self._refill()
        if self._tokens < price:
            return False
        self._tokens -= price
        return True

    def refund(self, price: float = 1.0) -> None:
        """Give back the tokens of a retry that succeeded."""
        self._tokens = min(MOST, self._tokens + price)

    def _refill(self) -> None:
        now = self._now()
        self._tokens = self._tokens_at(now)
        self._refilled_at = now

    def _tokens_at(self, now: float) -> float:
        if self._tokens >= RESERVE:
            return self._tokens
        return min(RESERVE, self._tokens + (now - self._refilled_at) * TRICKLE)
