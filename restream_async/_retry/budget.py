"""How many retries the service can be asked to bear. Pure arithmetic on a clock."""

from collections.abc import Callable
from typing import Final

SHARE: Final = 0.5
"""Retries for each call, in the long run: a service that fails a third of them is still served."""
RESERVE: Final = 20.0
"""Retries that are there at the start, and are saved up again in a quiet time."""
TRICKLE: Final = 10.0
"""Retries a second that fill the reserve up again, so that a client with little to do can insist;
as many as Finagle's `RetryBudget` gives."""
MOST: Final = 200.0
"""Retries that may be saved up from a lot of calls."""
# Seconds between two looks whether there is a token: the less, the fewer wait.
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class RetryBudget:
    """A bucket of tokens: calls fill it, retries in vain empty it.

    Of all calls of a client, in whatever time: at most `SHARE` retries in vain for each call,
    besides the reserve and its trickle. A retry that succeeds costs nothing in the end, as in
    botocore's retry quota: a service that deals with retries can bear them, however many calls
    have failed before.

    Attributes:
        waiting: how many wait for a token.

    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with the reserve."""
        self.waiting = 0
        self._now = now
        self._tokens = RESERVE
        self._filled_at = now()

    @property
    def available(self) -> int:
        """How many retries could be made at once."""
        self._trickle()
        return int(self._tokens)

    @property
    def pause(self) -> float:
        """Seconds after which one more who waits for a token had better look again."""
        return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, self.waiting / TRICKLE))

    def earn(self) -> None:
        """Note a call."""
        if self._tokens < MOST:
            self._tokens += SHARE

    def spend(self, price: float = 1.0) -> bool:
        """Take so many tokens for a retry, if they are there."""
        self._trickle()
        if self._tokens < price:
            return False
        self._tokens -= price
        return True

    def refund(self, price: float = 1.0) -> None:
        """Give back what a retry has cost that went well."""
        self._tokens = min(MOST, self._tokens + price)

    def _trickle(self) -> None:
        now = self._now()
        if self._tokens < RESERVE:
            self._tokens = min(RESERVE, self._tokens + (now - self._filled_at) * TRICKLE)
        self._filled_at = now
