"""Private: the rate at which a service that answers 429 accepts requests. Pure arithmetic.

A rate limit is not a lack of capacity: fewer requests in flight do not help, fewer a second do. So
after a 429 nothing is sent for a while. Then a single request probes whether the service accepts
requests again, and from then on they are sent one by one, at the rate that the service accepted.

If requests always waited, the service's token bucket is empty at each 429. So the number of
requests accepted between two of them, divided by the time, is its rate, for every size of the
bucket. The rate grows a little with each accepted request until the next 429. Without a 429 the
growth doubles again and again, so that the end of a limit is soon noticed. botocore's adaptive mode
and CUBIC grow in the same way.
"""

import math
from collections.abc import Callable
from typing import Final

_FIRST_PAUSE: Final = 1.0
"""Seconds without requests after the first 429, unless `Retry-After` is less. With 0.5,
a limit of less than 2 a second answers one more 429; with 2, a second is lost."""
RETRY_AFTER_CAP: Final = 60.0
"""Seconds; a longer `Retry-After` is shortened to this."""
_SHORTEST_PAUSE: Final = 1e-6
"""Seconds."""
_ENOUGH: Final = 8
"""Requests accepted between two 429s from which a rate can be told. With 4, the rate
of slow limits is wrong by a quarter; with 16, it is found only after minutes."""
_BACK: Final = 0.8
"""Times the rate, after a 429 that came too soon to measure."""
_GROWTH: Final = 0.001
"""Growth with each accepted request, as a share of the rate: at 8 a second about one request in 28
finds a 429. With more growth more of them do; with less, a limit that was raised is found later."""
_STEADY: Final = 20
"""Requests accepted without a 429 after which the growth doubles."""
_DOUBLING: Final = 0.25
"""Seconds in which the rate doubles until it has been measured."""
_LIFTED: Final = 8.0
"""Times the rate at the latest 429: if so many are accepted, the limit is no longer there."""
_NO_LIMIT: Final = 1000.0
"""Requests a second that are no longer paced."""


class RateLimit:
    """Knows when the next request may be sent."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin without a limit; `now` returns seconds on a clock that never goes back."""
        self._now = now
        self.active = False
        """Whether requests are paced."""
        self._rate: float = 0.0
        self._next = 0.0
        # When the latest pause began, and whether the next request is a probe.
        self._paused_at = -math.inf
        self._probing = False
        self._probed_at = 0.0
        self._refused_in_a_row = 0
        self._measured = 0.0
        self._growth = _GROWTH
        # Requests accepted since a moment, and the short pauses since.
        self._accepted = self._pauses = 0
        self._began = self._since = now()
        self._steady = 0
        self._doubled, self._doubled_at = False, 0.0

    @property
    def next(self) -> float:
        """The moment at which the next request may be sent; infinite during a probe."""
        return self._next

    @property
    def delay(self) -> float:
        """Seconds until the next request may be sent; infinite during a probe."""
        return max(0.0, self._next - self._now())

    def sent(self) -> None:
        """Note that a request is sent."""
        now = self._now()
        # Time without requests says nothing about the limit.
        if self._probing:
            idle = max(0.0, now - self._next)
            self._since += idle
            self._paused_at += idle
            self._probed_at, self._next = now, math.inf
        else:
            interval = 1.0 / self._rate
            self._since += max(0.0, now - self._next - interval)
            self._next = max(now, self._next) + interval

    def abandoned(self, started: float = math.inf) -> None:
        """Note a request without an answer, or one that was not sent. Another may be the probe."""
        if self._next == math.inf and started > self._paused_at:
            self._next = self._now()

    def accepted(self, started: float) -> None:
        """Note an answer other than 429. It makes no difference before the first 429."""
        self._accepted += 1
        if started > self._paused_at:
            self._go_on()

    def refused(
        self, started: float, retry_after: float | None, recently: tuple[float, int]
    ) -> None:
        """Note a 429.

        Args:
            started: when its request was sent.
            retry_after: the seconds of its `Retry-After`, or None.
            recently: a moment not long ago, infinite if there is none, and how many answers came
                since; counts if requests were not paced so far.

        """
        if started <= self._paused_at:
            # It was sent before the pause, as one of many.
            return
        now = self._now()
        if not self.active:
            self.active = True
            self._rate = 0.0
            since, self._accepted = recently
            self._since = self._began if since == math.inf else since
        elif self._rate:
            self._measure(now)
        pause = 1.0 / self._rate if self._rate else _FIRST_PAUSE
        pause *= 2.0**self._refused_in_a_row
        self._refused_in_a_row = min(16, self._refused_in_a_row + 1)
        # `Retry-After` has whole seconds, often more than needed, and some services always send the
        # same value, even 0.
        longest = min(RETRY_AFTER_CAP, retry_after or RETRY_AFTER_CAP)
        self._paused_at = now
        # At least one tick, or no answer would count as sent after the pause began.
        self._next = now + max(_SHORTEST_PAUSE, min(pause, longest))
        self._probing = True
        self._growth, self._steady = _GROWTH, 0

    def _measure(self, now: float) -> None:
        # The least that the rate can be. It is more if the bucket was full meanwhile. A short pause
        # takes the time of one request.
        least = (self._accepted + self._pauses) / (now - self._since)
        enough, first = self._accepted >= _ENOUGH, not self._measured
        if not self._refused_in_a_row:
            self._rate *= 0.5 if first and self._doubled else _BACK
        if enough and not first:
            # A fixed window accepts many at once, and then none until the next one.
            self._rate = min(self._rate, 2.0 * least)
        if enough or first:
            self._rate = max(least, self._rate)
            self._accepted, self._pauses, self._since = 0, 0, now
        self._rate = max(self._rate, 1.0 / RETRY_AFTER_CAP)
        self._pauses += 1
        self._measured = self._rate

    def _go_on(self) -> None:
        now = self._now()
        if self._probing:
            self._probing = False
            self._refused_in_a_row = 0
            if not self._rate:
                elapsed = now - self._since
                # The request that asked was accepted after this pause, however long ago `since` is.
                pause = max(_FIRST_PAUSE, now - self._paused_at)
                self._rate = max(self._accepted / max(_FIRST_PAUSE, elapsed), 1.0 / pause)
                self._doubled, self._doubled_at = False, now
                # The bucket was empty when the pause began.
                self._accepted, self._pauses, self._since = 1, 0, self._paused_at
            self._next = max(now, self._probed_at + 1.0 / self._rate)
            return
        if not self._measured:
            if now - self._doubled_at >= max(_DOUBLING, 4.0 / self._rate):
                self._rate *= 2.0
                self._doubled, self._doubled_at = True, now
        else:
            self._steady += 1
            if self._steady >= _STEADY:
                self._steady = 0
                self._growth *= 2.0
            self._rate *= 1.0 + self._growth
        if self._rate > _NO_LIMIT or (self._measured and self._rate > _LIFTED * self._measured):
            self.active = False
            self._measured = 0.0
