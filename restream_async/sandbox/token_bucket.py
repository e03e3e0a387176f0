"""The rate limit: how many requests are allowed a second."""

from __future__ import annotations

import math

# Rounding of floats: a client that waits exactly as long as it was told to must find a token.
_ROUNDING = 1e-9


class TokenBucket:
    """A token bucket. It is full at first, and after each change of rate or burst."""

    def __init__(self, per_second: float | None, burst: int | None) -> None:
        """Allow so many requests a second (None: no limit), and `burst` of them at once.

        By default a burst is what one second allows, at least 1. Raises `ValueError` for a rate
        that is not positive and finite, or a burst below 1.
        """
        self._size = self._tokens = 1.0
        self._updated = 0.0
        self._burst: int | None = None
        self.per_second = per_second
        self.burst = burst

    @property
    def per_second(self) -> float | None:
        """How many requests a second are allowed (None: no limit)."""
        return self._per_second

    @per_second.setter
    def per_second(self, per_second: float | None) -> None:
        if per_second is not None and not 0 < per_second < math.inf:
            raise ValueError(f"rate_limit must be None or a number above 0, not {per_second!r}")
        self._per_second = per_second
        self._fill()

    @property
    def burst(self) -> int | None:
        """How many requests are allowed at once (None: as many as in a second)."""
        return self._burst

    @burst.setter
    def burst(self, burst: int | None) -> None:
        if burst is not None and burst < 1:
            raise ValueError(f"burst must be None or >= 1, not {burst!r}")
        self._burst = burst
        self._fill()

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        if self._per_second is None:
            return 0.0
        refilled = self._tokens + (now - self._updated) * self._per_second
        self._tokens, self._updated = min(self._size, refilled), now
        if self._tokens < 1 - _ROUNDING:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0

    def _fill(self) -> None:
        self._size = float(self._burst or max(1, int(self._per_second or 0)))
        self._tokens, self._updated = self._size, 0.0
