"""Private: the half-open circuit breaker: in an outage, one request at a time is sent as a probe.

The circuit breaker (`circuit_breaker`) says when the next probe is due, and when waiting requests
are given up.
"""

import logging
from collections.abc import Callable
from typing import Final

from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.timers import Timer, Timers
from restream_async._load.wait_queue import WaitQueue
from restream_async.errors import CallError

_log: Final = logging.getLogger("restream_async")


class Probes:
    """Lets probes through, and sets the timers that waiting requests need in an outage.

    Attributes:
        in_flight: whether a probe is in flight.

    """

    def __init__(
        self,
        breaker: CircuitBreaker,
        queue: WaitQueue,
        timers: Timers,
        on_due: Callable[[], None],
    ) -> None:
        """Begin with none in flight.

        Args:
            breaker: knows whether there is an outage.
            queue: the waiting requests.
            timers: calls functions later.
            on_due: called when the next probe may be sent.

        """
        self.in_flight = False
        self._breaker = breaker
        self._queue = queue
        self._timers = timers
        self._on_due = on_due
        self._timer_is_set = False
        self._timeout: Timer | None = None

    def try_begin(self, *, waited: bool) -> bool:
        """Begin a probe if one is due; `waited` says whether its request has waited for it."""
        breaker = self._breaker
        if not breaker.is_open or self.in_flight or breaker.until_probe > 0:
            return False
        self.in_flight = True
        breaker.probe_sent(waited=waited)
        return True

    def request_ended(self, latency: float) -> None:
        """Note the end of a request, after so many seconds, while a probe is in flight."""
        # Requests that were sent before the outage are no probes.
        if not self._breaker.opened_within(latency):
            self.in_flight = False
            self._breaker.probe_ended()

    def set_timers(self) -> None:
        """Set the timers that waiting requests need in an outage: next probe, outage timeout."""
        breaker = self._breaker
        if not self._queue:
            return
        if not (self.in_flight or self._timer_is_set):
            self._timer_is_set = True
            self._timers.after(breaker.until_probe, self._probe_is_due)
        if self._queue.has_patient and not breaker.timed_out and self._timeout is None:
            self._timeout = self._timers.after(breaker.time_left, self._timeout_ended)

    def outage_began(self, error: CallError) -> None:
        """Log that there is an outage, and its latest error."""
        fields = {"restream_circuit_breaker": "open", "restream_error": type(error).__name__}
        _log.warning("circuit breaker open, only probes are sent: %s", error.summary, extra=fields)

    def outage_ended(self) -> None:
        """Log it, and cancel the timer for the outage timeout."""
        fields = {"restream_circuit_breaker": "closed"}
        _log.warning("circuit breaker closed, the service answers again", extra=fields)
        if self._timeout is not None:
            self._timeout.cancel()

    def _probe_is_due(self) -> None:
        self._timer_is_set = False
        self._on_due()

    def _timeout_ended(self) -> None:
        self._timeout = None
        if self._breaker.timed_out:
            self._queue.fail_patient()
        # The timer also ends when it is cancelled, as the outage is over.
        if self._breaker.is_open:
            self.set_timers()
