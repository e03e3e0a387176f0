"""Private: the concurrency limiter: which requests may be sent now.

Three things decide: how many may be in flight (`adaptive_limit`), how many a second after a 429
(`rate_limit`), and whether the service is reachable at all (`circuit_breaker`). In an outage only a
probe is sent from time to time.
"""

import asyncio
import copy
import math
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Self, TypeAlias

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.half_open import Probes
from restream_async._load.load_signal import Signal
from restream_async._load.pace import Pace
from restream_async._load.rate_limit import RateLimit
from restream_async._load.slots import Slots
from restream_async._load.timers import Timers
from restream_async._load.wait_queue import GivenUpError, WaitQueue
from restream_async._util.clock import Clock
from restream_async.errors import CallError

State: TypeAlias = Literal["closed", "open"]

# Looked up once, not for every answer.
_SHED: Final = Signal.SHED
_LIMITED: Final = Signal.LIMITED


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
        self._slots = Slots(limit, breaker, self._timers, self._use_free_slots)
        self._pace = Pace(
            rate, self._timers, is_awaited=self._is_slot_awaited, on_turn=self._use_free_slots
        )
        self._probes = Probes(breaker, self._queue, self._timers, self._admit_waiting)
        self.in_flight = 0
        """How many requests are in flight now."""
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
        free = self.in_flight < self._slots.total
        return free and not self.waiting and not self._pace.holds_back()

    def idle_latency(self, kind: str) -> float:
        """Return the seconds that an answer takes under little load; 0 if unknown."""
        return self._limit.idle_latency(kind) or 0.0

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free. Release it with `release`."""
        if self._queue.first or self._queue.others:
            return False
        if self.in_flight < self._slots.total:
            if self._rate.active:
                return self._take()
            self.in_flight += 1
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
            if self._limit.record(signal, started, latency, self.in_flight, kind):
                self._slots.update()
            elif signal is _SHED:
                self._slots.rest(latency, kind)
        self.in_flight -= 1
        if self._probes.in_flight:
            self._probes.request_ended(latency)
        if self._rate.active:
            self._pace.request_ended(signal, started)
        if self._queue.first or self._queue.others:
            self._admit()
            self._set_timers()

    def succeeded(self) -> None:
        """Note that the service dealt with a request."""
        self.last = None
        if self._breaker.record_success():
            self._probes.outage_ended()
            self._limit.restart()
            self._slots.update()
            self._use_free_slots()

    def failed(self, error: CallError, *, connected: bool = True, latency: float = 0.0) -> None:
        """Note that the service did not deal with a request. Its slot is released afterwards.

        Args:
            error: why.
            connected: whether the request may have reached the service.
            latency: seconds that the attempt took.

        """
        self.note(error)
        if self._breaker.record_failure(connected=connected, latency=latency):
            self._probes.outage_began(error)
            self._slots.update()

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
        self._pace.closed = True
        self._slots.close()
        self._admit()
        await self._timers.close()

    def _use_free_slots(self) -> None:
        """Give free slots to waiting requests, or tell the listeners of them."""
        self._admit()
        self.notify_slot_listeners()

    def _admit_waiting(self) -> None:
        """Give free slots to waiting requests, and set the timers that the others need."""
        self._admit()
        self._set_timers()

    def _admit(self) -> None:
        """Give free slots to waiting requests."""
        while self.waiting:
            free = self.in_flight < self._slots.total
            if not (self._take() if free else self._try_probe(waited=True)):
                return
            if not self._queue.pop():
                # All that waited were cancelled in this moment.
                self.in_flight -= 1
                self._probes.in_flight = False
                if self._rate.active:
                    self._pace.request_ended(None)

    def _take(self) -> bool:
        """Take a free slot, unless the next request has to wait for its turn."""
        if self._pace.holds_back():
            return False
        self.in_flight += 1
        if self._rate.active:
            self._pace.request_sent()
        return True

    def _try_probe(self, *, waited: bool = False) -> bool:
        """Take a slot for a probe, if one is due."""
        # While there are slots there is no outage.
        if self._slots.total or not self._probes.try_begin(waited=waited):
            return False
        self.in_flight += 1
        if self._rate.active:
            self._rate.sent()
        return True

    def _set_timers(self) -> None:
        """Set the timers that waiting requests need."""
        if self._rate.active and self.waiting:
            self._pace.set_timer()
        if self._breaker.is_open:
            self._probes.set_timers()

    def _is_slot_awaited(self) -> bool:
        """Return whether any request or listener would use a free slot."""
        return bool(self.waiting or self.slot_listeners)
