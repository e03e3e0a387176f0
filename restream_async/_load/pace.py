"""Private: the pace of requests after a 429: which requests wait, and the timer that ends the wait.

The pace is that of the rate limit (`rate_limit`).
"""

import math
from collections.abc import Callable

from restream_async._load.load_signal import Signal
from restream_async._load.rate_limit import RateLimit
from restream_async._load.timers import Timer, Timers


class Pace:
    """Holds requests back until their turn. Only for a rate limit that is active."""

    def __init__(
        self,
        rate: RateLimit,
        timers: Timers,
        *,
        is_awaited: Callable[[], bool],
        on_turn: Callable[[], None],
    ) -> None:
        """Begin without a timer.

        Args:
            rate: knows when the next request may be sent.
            timers: calls functions later.
            is_awaited: whether any request would be sent at the next turn.
            on_turn: called when the next request may be sent.

        """
        self._rate = rate
        self._timers = timers
        self._is_awaited = is_awaited
        self._on_turn = on_turn
        self._timer: Timer | None = None
        self._timer_ends = 0.0
        self.closed = False
        """Whether requests are held back no longer."""

    def holds_back(self) -> bool:
        """Return whether the next request has to wait for its turn."""
        return self._rate.active and not self.closed and self._rate.delay > 0

    def request_sent(self) -> None:
        """Note that a request is sent."""
        self._rate.sent()
        self.set_timer()

    def request_ended(self, signal: Signal | None, started: float = math.inf) -> None:
        """Note the end of a request.

        Args:
            signal: what the answer says about the load; None if there was none, or nothing was
                sent.
            started: the moment at which the request was sent; infinite if it was not.

        """
        if signal is None:
            self._rate.abandoned(started)
        elif signal is not Signal.LIMITED:
            self._rate.accepted(started)
        self.set_timer()

    def set_timer(self) -> None:
        """Set the timer for the next request, if there is one."""
        due = self._rate.next
        if due == math.inf or not self._is_awaited():
            return
        if self._timer is None:
            self._timer = self._timers.after(self._rate.delay, self._timer_ended)
            self._timer_ends = due
        elif due < self._timer_ends:
            # When it ends, the next one is set.
            self._timer.cancel()

    def _timer_ended(self) -> None:
        self._timer = None
        # uvloop's timers end up to a millisecond early, and the request may become due between two
        # looks at the clock. So the timer is set again if either of them finds that it has to wait.
        early = self.holds_back()
        self._on_turn()
        if early or self.holds_back():
            self.set_timer()
