"""Private: the slots of the concurrency limiter: how many there are now.

As many as the adaptive limit says, less those that rest; none during an outage. A slot rests if its
request was refused at once: the next request would be refused as quickly.
"""

import sys
from collections.abc import Callable
from typing import Final

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.timers import Timers

# Seconds. A slot rests no longer than this.
_LONGEST_REST: Final = 5.0


class Slots:
    """The number of slots.

    Attributes:
        total: how many requests may be in flight now.

    """

    def __init__(
        self,
        limit: AdaptiveLimit,
        breaker: CircuitBreaker,
        timers: Timers,
        on_rested: Callable[[], None],
    ) -> None:
        """Begin with as many as `limit` says; `on_rested` is called when a slot has rested."""
        self.total = limit.value
        self._limit = limit
        self._breaker = breaker
        self._timers = timers
        self._on_rested = on_rested
        self._resting = 0
        self._closed = False

    def update(self) -> None:
        """Follow the limit and the circuit breaker."""
        if self._closed:
            self.total = sys.maxsize
        elif self._breaker.is_open:
            self.total = 0
        else:
            self.total = max(0, self._limit.value - self._resting)

    def close(self) -> None:
        """Let all requests through."""
        self._closed = True
        self.update()

    def rest(self, latency: float, kind: str) -> None:
        """Let a slot rest whose request was refused, for as long as an answer would have taken.

        Args:
            latency: seconds until the refusal.
            kind: of the request.

        """
        idle = self._limit.idle_latency(kind)
        if idle is not None and latency < idle:
            self._resting += 1
            self.update()
            self._timers.after(min(_LONGEST_REST, idle - latency), self._end_rest)

    def _end_rest(self) -> None:
        self._resting -= 1
        self.update()
        self._on_rested()
