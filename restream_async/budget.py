"""How many retries the service can be asked to bear. Pure arithmetic on a clock."""

from collections.abc import Callable
from typing import Final

SHARE: Final = 0.5
"""Retries for each first attempt, in the long run."""
RESERVE: Final = 20.0
"""Retries that are always saved up for a start, and at the most after a quiet time."""
# Retries a second that a client without other traffic is given.
_TRICKLE: Final = 1.0
# What may be saved up from a lot of traffic.
_MOST: Final = 200.0


class RetryBudget:
    """A bucket of tokens: first attempts fill it, retries empty it."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with the reserve."""
        self._now = now
        self._tokens = RESERVE
        self._filled_at = now()

    @property
    def left(self) -> int:
        """How many retries could be made at once."""
        self._trickle()
        return int(self._tokens)

    def earn(self) -> None:
        """Note a first attempt."""
        if self._tokens < _MOST:
            self._tokens += SHARE

    def spend(self) -> bool:
        """Take a token for a retry, if there is one."""
        self._trickle()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _trickle(self) -> None:
        now = self._now()
        if self._tokens < RESERVE:
            self._tokens = min(RESERVE, self._tokens + (now - self._filled_at) * _TRICKLE)
        self._filled_at = now
