"""How many requests are allowed in a second."""

from __future__ import annotations

import math

# What floats lose: a client that waits for exactly as long as it was told to must find a token.
_ROUNDING = 1e-9


class RateLimit:
    """A token bucket. It begins full, and again full with each new rate or burst."""

    def __init__(self, per_second: float | None, burst: int | None) -> None:
        """Allow so many a second (None: no bound), and `burst` of them at once.

        Without a burst it is what one second allows, at least 1. Raises `ValueError` for a rate
        that is not positive and finite, or a burst below 1.
        """
        self._size = self._tokens = 1.0
        self._moment = 0.0
        self._burst: int | None = None
        self.per_second = per_second
        self.burst = burst

    @property
    def per_second(self) -> float | None:
        """How many a second are allowed (None: no bound)."""
        return self._per_second

    @per_second.setter
    def per_second(self, per_second: float | None) -> None:
        if per_second is not None and not 0 < per_second < math.inf:
            raise ValueError(f"rate_limit must be None or a number above 0, not {per_second!r}")
        self._per_second = per_second
        self._fill()

    @property
    def burst(self) -> int | None:
        """How many are allowed at once (None: as many as in a second)."""
        return self._burst

    @burst.setter
    def burst(self, burst: int | None) -> None:
        if burst is not None and burst < 1:
            raise ValueError(f"burst must be None or >= 1, not {burst!r}")
        self._burst = burst
        self._fill()

    def take(self, now: float) -> float:
        """Take a token at this moment and return 0; or the seconds until there is one."""
        if self._per_second is None:
            return 0.0
        grown = self._tokens + (now - self._moment) * self._per_second
        self._tokens, self._moment = min(self._size, grown), now
        if self._tokens < 1 - _ROUNDING:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0

    def _fill(self) -> None:
        self._size = float(self._burst or max(1, int(self._per_second or 0)))
        self._tokens, self._moment = self._size, 0.0
