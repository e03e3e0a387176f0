"""Whether the service is there at all, and when to ask again. Pure arithmetic on a clock.

A service to which no connection ever came about is most likely not there: at a wrong address, or
behind a network that does not let anybody through. That is found out sooner, and waited for less
long.

An outage is not overload: nothing succeeds any more. Then attempts and deadlines would only be
burnt, so all is held, and one request at a time asks whether the service is back, at growing
intervals, so that a thousand clients do not fall upon it in the moment when it returns.
"""

from collections.abc import Callable
from typing import Final

# So many failures in a row, over so many seconds without a success, are an outage.
_FAILURES: Final = 10
_SILENCE: Final = 1.0
# The same where no connection ever came about; and the longest patience then.
_FAILURES_AT_FIRST: Final = 3
_PATIENCE_AT_FIRST: Final = 30.0
# Seconds between two probes: at first, and at the most.
_FIRST_PROBE: Final = 0.5
_RAREST_PROBE: Final = 5.0


class CircuitBreaker:
    """Watches how attempts end."""

    def __init__(
        self,
        patience: float,
        now: Callable[[], float],
        chance: Callable[[], float],
        *,
        longest_pause: float = 0.0,
    ) -> None:
        """Begin with a service that is there.

        Args:
            patience: seconds of an outage after which what waits is given up; 30 at the most
                where no connection ever came about.
            now: seconds on a clock that never goes back.
            chance: a random number from 0 up to 1, which spreads the probes of many clients.
            longest_pause: the longest wait of a caller between two attempts, in seconds.

        """
        self._patience = patience
        self._now = now
        self._chance = chance
        # A caller that waits sends its next attempt sooner than this. If no attempt was made for
        # longer, there was no caller, and the outage may have ended meanwhile: it begins anew.
        self._inactivity = longest_pause + 2 * _RAREST_PROBE
        self._failures = 0
        self._first_failure = 0.0
        self._last_asked = 0.0
        self._since: float | None = None
        # Since when nobody gets through: in an outage, and before it where nobody can connect.
        self._away: float | None = None
        self._past = 0.0
        # The latest moment in which that was over; what is held is never counted twice.
        self._returned = now()
        self._last_success = self._returned
        self.reached = False
        """Whether any request ever got through to the service, answered or not."""
        self._interval = _FIRST_PROBE
        self._next_probe = 0.0

    @property
    def on(self) -> bool:
        """Whether there is an outage now."""
        return self._since is not None

    @property
    def given_up(self) -> bool:
        """Whether there is one that lasts for longer than anybody waits."""
        return self._since is not None and self._now() >= self._since + self._longest

    @property
    def patience_left(self) -> float:
        """Seconds until what waits is given up; all of the patience without an outage."""
        # Of moments that are near each other the difference is exact, so that who sleeps for so
        # long does not wake a hair too early.
        longest = self._longest
        return longest if self._since is None else self._since + longest - self._now()

    @property
    def until_probe(self) -> float:
        """Seconds until the next probe may be sent."""
        return max(0.0, self._next_probe - self._now())

    def began_before(self, seconds: float) -> bool:
        """Say whether it began less than so many seconds ago."""
        return self._since is not None and self._now() - seconds < self._since

    def succeeded_since(self, moment: float) -> bool:
        """Say whether the service has dealt with an attempt after a moment."""
        return self._last_success > moment

    def held(self) -> float:
        """Return the seconds so far in which nobody got through.

        Those of all outages, and of interruptions too short for one in which nobody could connect.
        Never more than have passed.
        """
        return self._past if self._away is None else self._past + self._now() - self._away

    def probing(self, *, waited: bool = False) -> None:
        """Note that a probe is sent; the next one comes after twice the interval.

        Args:
            waited: whether somebody has waited for it, so that it was no quiet time before.

        """
        now = self._now()
        if self._since is not None and not waited and now - self._last_asked > self._inactivity:
            self._begin()
        self._interval = min(_RAREST_PROBE, self._interval * 2)
        self._next_probe = now + self._interval * (0.5 + self._chance() / 2)

    def probed(self) -> None:
        """Note that a probe is over, whatever came of it."""
        self._last_asked = self._now()

    def succeeded(self) -> bool:
        """Note an attempt that the service dealt with; return whether that ended an outage."""
        self._last_success = now = self._now()
        self._failures = 0
        self.reached = True
        if self._away is None:
            return False
        self._return(now)
        was_on, self._since = self.on, None
        return was_on

    def failed(self, *, connected: bool = True, latency: float = 0.0) -> bool:
        """Note an attempt that it did not deal with; return whether that began an outage.

        Args:
            connected: whether the attempt may have got through to the service.
            latency: seconds that the attempt took.

        """
        now = self._now()
        if not self._failures:
            self._first_failure = now
        self._last_asked = now
        self._failures += 1
        self.reached = self.reached or connected
        if self._since is not None:
            return False
        if connected:
            self._return(now)
        elif self._away is None:
            # Others may have got through while this attempt tried to connect.
            self._away = max(now - latency, self._returned, self._last_success)
        enough = _FAILURES if self.reached else _FAILURES_AT_FIRST
        if self._failures < enough or now - self._first_failure < _SILENCE:
            return False
        self._begin()
        return True

    @property
    def _longest(self) -> float:
        return self._patience if self.reached else min(self._patience, _PATIENCE_AT_FIRST)

    def _return(self, now: float) -> None:
        if self._away is not None:
            self._past += now - self._away
            self._away = None
        self._returned = now

    def _begin(self) -> None:
        if self._away is None:
            self._away = self._now()
        self._since = now = self._now()
        self._interval = _FIRST_PROBE
        self._next_probe = now + self._interval * (0.5 + self._chance() / 2)
