"""Private: the circuit breaker: whether the service is reachable at all, and when to probe it.

An outage is not overload: no request succeeds any more. Attempts and deadlines would only be used
up, so the breaker opens and requests wait. One request at a time probes the service, at growing and
random intervals, so that a thousand clients do not all return in the same moment.

If no connection was ever made, the address is probably wrong, or a firewall blocks it.
Then the breaker opens sooner and waits less long.

This module does arithmetic on a clock that is handed in. It sends nothing and waits for nothing.
"""

from collections.abc import Callable
from typing import Final

# Failures in a row, over so many seconds without a success, that open the breaker.
_FAILURES: Final = 10
_SILENCE: Final = 1.0
# The same if no connection was ever made; and the longest outage timeout then, in seconds.
_FAILURES_NEVER_REACHED: Final = 3
_TIMEOUT_NEVER_REACHED: Final = 30.0
# Seconds between two probes: at first, and at most.
_FIRST_INTERVAL: Final = 0.5
_LONGEST_INTERVAL: Final = 5.0


class CircuitBreaker:
    """Opens when attempts fail in a row, and closes with the first success."""

    def __init__(
        self,
        patience: float,
        now: Callable[[], float],
        random: Callable[[], float],
        *,
        longest_pause: float = 0.0,
    ) -> None:
        """Begin closed.

        Args:
            patience: the outage timeout: seconds after which waiting requests are given up; 30 at
                most if no connection was ever made.
            now: seconds on a clock that never goes back.
            random: a random number from 0 up to 1. It spreads the probes of many clients.
            longest_pause: the longest wait of a call between two attempts, in seconds.

        """
        self._patience = patience
        self._now = now
        self._random = random
        # A waiting call sends its next attempt sooner than this. After a longer time without an
        # attempt the outage may have ended unnoticed, so the next one begins anew.
        self._inactivity = longest_pause + 2 * _LONGEST_INTERVAL
        self._failures = 0
        self._first_failure = 0.0
        self._last_attempt = 0.0
        self._opened: float | None = None
        # Since when no request gets through: in an outage, and before it if none can connect.
        self._unreachable_since: float | None = None
        self._past_outages = 0.0
        # The latest moment at which such a time ended. No second is counted twice.
        self._returned = now()
        self._last_success = self._returned
        self.reached = False
        """Whether any request ever got through to the service, answered or not."""
        self._interval = _FIRST_INTERVAL
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is an outage now."""
        return self._opened is not None

    @property
    def timed_out(self) -> bool:
        """Whether there is an outage that lasts longer than the outage timeout."""
        return self._opened is not None and self._now() >= self._opened + self._timeout

    @property
    def time_left(self) -> float:
        """Seconds until waiting requests are given up; the whole outage timeout if closed."""
        # The difference of two near moments is exact, so a sleep of this length is long enough.
        timeout = self._timeout
        return timeout if self._opened is None else self._opened + timeout - self._now()

    @property
    def until_probe(self) -> float:
        """Seconds until the next probe may be sent."""
        return max(0.0, self._next_probe - self._now())

    def opened_within(self, seconds: float) -> bool:
        """Return whether the breaker opened less than so many seconds ago, and is open."""
        return self._opened is not None and self._now() - seconds < self._opened

    def succeeded_since(self, moment: float) -> bool:
        """Return whether an attempt has succeeded after a moment."""
        return self._last_success > moment

    def outage_seconds(self) -> float:
        """Return the seconds so far in which no request got through.

        Those of all outages, and of interruptions too short to open the breaker in which no request
        could connect. Never more than have passed.
        """
        if self._unreachable_since is None:
            return self._past_outages
        return self._past_outages + self._now() - self._unreachable_since

    def probe_sent(self, *, waited: bool = False) -> None:
        """Note that a probe is sent. The next one follows after twice the interval.

        Args:
            waited: whether the request has waited for the probe, so that there was no inactivity.

        """
        now = self._now()
        if self.is_open and not waited and now - self._last_attempt > self._inactivity:
            self._open()
        self._interval = min(_LONGEST_INTERVAL, self._interval * 2)
        self._next_probe = now + self._interval * (0.5 + self._random() / 2)

    def probe_ended(self) -> None:
        """Note that a probe has ended, with any result."""
        self._last_attempt = self._now()

    def record_success(self) -> bool:
        """Note a successful attempt; return whether it has closed the breaker."""
        self._last_success = now = self._now()
        self._failures = 0
        self.reached = True
        if self._unreachable_since is None:
            return False
        self._return(now)
        was_open, self._opened = self.is_open, None
        return was_open

    def record_failure(self, *, connected: bool = True, latency: float = 0.0) -> bool:
        """Note a failed attempt; return whether it has opened the breaker.

        Args:
            connected: whether the attempt may have got through to the service.
            latency: seconds that the attempt took.

        """
        now = self._now()
        if not self._failures:
            self._first_failure = now
        self._last_attempt = now
        self._failures += 1
        self.reached = self.reached or connected
        if self.is_open:
            return False
        if connected:
            self._return(now)
        elif self._unreachable_since is None:
            # Other requests may have got through while this attempt tried to connect.
            self._unreachable_since = max(now - latency, self._returned, self._last_success)
        enough = _FAILURES if self.reached else _FAILURES_NEVER_REACHED
        if self._failures < enough or now - self._first_failure < _SILENCE:
            return False
        self._open()
        return True

    @property
    def _timeout(self) -> float:
        return self._patience if self.reached else min(self._patience, _TIMEOUT_NEVER_REACHED)

    def _return(self, now: float) -> None:
        if self._unreachable_since is not None:
            self._past_outages += now - self._unreachable_since
            self._unreachable_since = None
        self._returned = now

    def _open(self) -> None:
        self._opened = now = self._now()
        if self._unreachable_since is None:
            self._unreachable_since = now
        self._interval = _FIRST_INTERVAL
        self._next_probe = now + self._interval * (0.5 + self._random() / 2)
