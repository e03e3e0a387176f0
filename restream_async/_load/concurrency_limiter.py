"""Private: the concurrency limiter: which requests may be sent now.

Three things decide: how many may be in flight (`adaptive_limit`), how many a second after a 429
(`rate_limit`), and whether the service is reachable at all (`circuit_breaker`). In an outage only a
probe is sent from time to time.
"""

import asyncio
import copy
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Self, TypeAlias

from restream_async._load.adaptive_limit import AdaptiveLimit, Signal
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.rate_limit import RateLimit
from restream_async._load.timers import Timers
from restream_async._load.wait_queue import WaitQueue
from restream_async._util.clock import Clock
from restream_async.errors import CallError

State: TypeAlias = Literal["closed", "open"]

# Seconds. A slot whose request was refused at once stays empty no longer than this.
_LONGEST_REST: Final = 5.0
# Looked up once, not for every answer.
_SHED: Final = Signal.SHED
_LIMITED: Final = Signal.LIMITED


class GivenUpError(Exception):
    """The outage lasts longer than the outage timeout. Stays inside the library."""


class ConcurrencyLimiter:
    """Hands out slots, in turns to the first requests of items and to all other requests."""

    def __init__(
        self,
        limit: AdaptiveLimit,
        rate: RateLimit,
        breaker: CircuitBreaker,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Begin with nothing in flight; `sleep` waits on the clock of `rate` and `breaker`."""
        self._limit = limit
        self._rate = rate
        self._breaker = breaker
        self._timers = Timers(sleep)
        self._queue = WaitQueue()
        # How many may be in flight now: the limit, less the resting slots; none in an outage.
        self._slots = limit.value
        self._in_flight = 0
        self._resting = 0
        self._probing = False
        # Whether a timer is set for the next probe; those for the next paced request and for the
        # outage timeout.
        self._probe_is_set = False
        self._pace: asyncio.Task[None] | None = None
        self._pace_due = 0.0
        self._timeout: asyncio.Task[None] | None = None
        self._closed = False
        self.outage_seconds = breaker.outage_seconds
        """Returns the seconds so far in which no request got through to the service."""
        self.last: CallError | None = None
        """The latest failure since the last success."""
        self.slot_listeners: set[Callable[[], None]] = set()
        """Called when a slot may be free for which nothing waits."""

    @classmethod
    def adaptive(
        cls, ceiling: int, patience: float, clock: Clock, *, longest_pause: float = 0.0
    ) -> Self:
        """Return a limiter that learns its limit, up to `ceiling`.

        Args:
            ceiling: how many requests may be in flight if all goes well.
            patience: the outage timeout: seconds of an outage after which waiting requests are
                given up.
            clock: time and chance.
            longest_pause: the longest wait of a call between two attempts, in seconds.

        """
        breaker = CircuitBreaker(patience, clock.now, clock.random, longest_pause=longest_pause)
        limit = AdaptiveLimit(ceiling, clock.cpu_time)
        return cls(limit, RateLimit(clock.now), breaker, clock.sleep)

    @property
    def ceiling(self) -> int:
        """How many requests may be in flight if all goes well."""
        return self._limit.ceiling

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return self._limit.value

    @property
    def in_flight(self) -> int:
        """How many requests are in flight now."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    @property
    def state(self) -> State:
        """The state of the circuit breaker."""
        return "open" if self._breaker.is_open else "closed"

    @property
    def paced(self) -> bool:
        """Whether requests are sent at a pace, as the service answered 429."""
        return self._rate.active

    @property
    def reached(self) -> bool:
        """Whether any request ever got through to the service, answered or not."""
        return self._breaker.reached

    def succeeded_since(self, moment: float) -> bool:
        """Return whether a request has succeeded after a moment."""
        return self._breaker.succeeded_since(moment)

    @property
    def given_up(self) -> bool:
        """Whether there is an outage that lasts longer than the outage timeout."""
        return self._breaker.timed_out

    @property
    def has_slot(self) -> bool:
        """Whether a slot is free, and nothing waits for it."""
        return self._in_flight < self._slots and not self.waiting and not self._is_paced()

    def idle_latency(self, kind: str) -> float:
        """Return the seconds that an answer takes under little load; 0 if unknown."""
        return self._limit.idle_latency(kind) or 0.0

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free. Release it with `release`."""
        if self._queue.first or self._queue.others:
            return False
        if self._in_flight < self._slots:
            if self._rate.active:
                return self._take()
            self._in_flight += 1
            return True
        return self._try_probe()

    async def acquire(
        self, *, patient: bool = True, ahead: bool = False, fresh: bool = False
    ) -> None:
        """Acquire a slot; wait for one if none is free. Release it with `release`.

        Args:
            patient: whether to wait only until the outage timeout. If false, waits until the
                caller's own timeout, and probes meanwhile.
            ahead: whether to go ahead of all that wait.
            fresh: whether it is the first request of an item: see `WaitQueue`.

        Raises:
            GivenUpError: the outage lasts longer than the outage timeout.

        """
        if self.try_acquire():
            return
        if patient and self._breaker.timed_out:
            raise GivenUpError
        turn = self._queue.add(first=fresh, ahead=ahead, patient=patient)
        self._set_timers()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                # It got the slot in the same moment. The next request gets it instead.
                self.release()
            raise
        finally:
            self._queue.discard(turn)

    def release(
        self,
        signal: Signal | None = None,
        latency: float = 0.0,
        kind: str = "",
        started: float = math.inf,
        retry_after: float | None = None,
    ) -> None:
        """Release a slot.

        Args:
            signal: what the answer says about the load; None if there was none, or nothing was
                sent.
            latency: seconds until the answer, or until the slot is released without one.
            kind: of the request. Requests of one kind take about as long. Empty if the latency
                says nothing.
            started: the moment at which the request was sent; infinite if it was not.
            retry_after: seconds that the service asked to wait.

        """
        if signal is _LIMITED:
            self._rate.refused(started, retry_after, self._limit.recently())
        elif signal is not None:
            if self._limit.record(signal, started, latency, self._in_flight, kind):
                self._set_slots()
            elif signal is _SHED:
                self._rest(latency, kind)
        self._in_flight -= 1
        if self._probing and not self._breaker.opened_within(latency):
            self._probing = False
            self._breaker.probe_ended()
        if self._rate.active:
            self._keep_rate(signal, started)
        if self._queue.first or self._queue.others:
            self._admit()
            self._set_timers()

    def succeeded(self) -> None:
        """Note that the service dealt with a request."""
        self.last = None
        if self._breaker.record_success():
            if self._timeout is not None:
                self._timeout.cancel()
            self._limit.restart()
            self._set_slots()
            self._admit()
            self.notify_slot_listeners()

    def failed(self, error: CallError, *, connected: bool = True, latency: float = 0.0) -> None:
        """Note that the service did not deal with a request.

        Args:
            error: why.
            connected: whether the request may have reached the service.
            latency: seconds that the attempt took.

        """
        self.note(error)
        if self._breaker.record_failure(connected=connected, latency=latency):
            self._set_slots()
            self._set_timers()

    def note(self, error: CallError) -> None:
        """Remember a failure until the next success."""
        # Without its traceback, which would keep the frames of the call alive.
        self.last = copy.copy(error)

    def notify_slot_listeners(self) -> None:
        """Call the listeners: a slot may be free for which nothing waits."""
        for listener in self.slot_listeners:
            listener()

    async def close(self) -> None:
        """Cancel all timers, and let all requests through."""
        self._closed = True
        self._set_slots()
        self._admit()
        await self._timers.close()

    def _set_slots(self) -> None:
        if self._closed:
            self._slots = sys.maxsize
        elif self._breaker.is_open:
            self._slots = 0
        else:
            self._slots = max(0, self._limit.value - self._resting)

    def _rest(self, latency: float, kind: str) -> None:
        """Keep a slot empty for a while if its request was refused at once."""
        idle = self._limit.idle_latency(kind)
        if idle is not None and latency < idle:
            # Else the client would repeat a quick refusal as fast as it can.
            self._resting += 1
            self._set_slots()
            self._timers.after(min(_LONGEST_REST, idle - latency), self._end_rest)

    def _end_rest(self) -> None:
        self._resting -= 1
        self._set_slots()
        self._admit()
        self.notify_slot_listeners()

    def _admit(self) -> None:
        """Give free slots to waiting requests."""
        while self.waiting:
            free = self._in_flight < self._slots
            if not (self._take() if free else self._try_probe(waited=True)):
                return
            if not self._queue.pop():
                # All that waited were cancelled in this moment.
                self._in_flight -= 1
                self._probing = False
                if self._rate.active:
                    self._rate.abandoned()
                    self._set_pace_timer()

    def _take(self) -> bool:
        """Take a free slot, unless the next request has to wait for its turn."""
        if self._is_paced():
            return False
        self._in_flight += 1
        if self._rate.active:
            self._rate.sent()
            self._set_pace_timer()
        return True

    def _try_probe(self, *, waited: bool = False) -> bool:
        """Take a slot for a probe, if one is due."""
        if not self._breaker.is_open or self._probing or self._breaker.until_probe > 0:
            return False
        self._in_flight += 1
        self._probing = True
        self._breaker.probe_sent(waited=waited)
        if self._rate.active:
            self._rate.sent()
        return True

    def _is_paced(self) -> bool:
        """Return whether the next request has to wait for its turn by the rate limit."""
        return self._rate.active and not self._closed and self._rate.delay > 0

    def _keep_rate(self, signal: Signal | None, started: float) -> None:
        if signal is None:
            self._rate.abandoned(started)
        elif signal is not _LIMITED:
            self._rate.accepted(started)
        self._set_pace_timer()

    def _set_pace_timer(self) -> None:
        """Set the timer for the next paced request, if there is one."""
        due = self._rate.next
        if due == math.inf or not (self.waiting or self.slot_listeners):
            return
        if self._pace is None:
            self._pace = self._timers.after(self._rate.delay, self._pace_timer_ended)
            self._pace_due = due
        elif due < self._pace_due:
            # When it ends, the next one is set.
            self._pace.cancel()

    def _pace_timer_ended(self) -> None:
        self._pace = None
        # uvloop's timers end up to a millisecond early, and the request may become due between two
        # looks at the clock. So the timer is set again if either of them finds that it has to wait.
        early = self._is_paced()
        self._admit()
        self.notify_slot_listeners()
        if early or self._is_paced():
            self._set_pace_timer()

    def _set_timers(self) -> None:
        """Set the timers that waiting requests need."""
        if not self.waiting:
            return
        if self._rate.active:
            self._set_pace_timer()
        breaker = self._breaker
        if not breaker.is_open:
            return
        if not (self._probing or self._probe_is_set):
            self._probe_is_set = True
            self._timers.after(breaker.until_probe, self._probe_timer_ended)
        if self._queue.has_patient and not breaker.timed_out and self._timeout is None:
            self._timeout = self._timers.after(breaker.time_left, self._outage_timeout_ended)

    def _probe_timer_ended(self) -> None:
        self._probe_is_set = False
        self._admit()
        self._set_timers()

    def _outage_timeout_ended(self) -> None:
        self._timeout = None
        if self._breaker.timed_out:
            self._queue.fail_patient(GivenUpError)
        self._set_timers()
