"""Which requests may be sent now.

Three things decide: how many may be in flight (`adaptive_limit`), how many a second after a 429
(`rate_limit`), and whether the service is there at all (`outage`), as in an outage only a probe is
sent now and then.
"""

import asyncio
import copy
import math
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Self, TypeAlias

from restream_async._load.adaptive_limit import AdaptiveLimit, Signal
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.rate_limit import RateLimit
from restream_async._util.clock import Clock
from restream_async.errors import CallError

State: TypeAlias = Literal["closed", "open"]

# Seconds; a slot whose request was refused at once is not kept empty for longer than this.
_LONGEST_REST: Final = 5.0
# Looked up once, not for every answer.
_SHED: Final = Signal.SHED
_LIMITED: Final = Signal.LIMITED


class GivenUpError(Exception):
    """The outage lasts for longer than the patience of the client. Stays inside the library."""


class ConcurrencyLimiter:
    """Hands out slots: by turns to new items and to all other requests, each in order."""

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
        self._sleep = sleep
        self._timers: set[asyncio.Task[None]] = set()
        # How many may be in flight now: the limit, less the slots that rest; none in an outage.
        self._slots = limit.value
        self._in_flight = 0
        self._resting = 0
        self._probing = False
        # Whether there is a timer for the next probe, and for the next paced request; and the one
        # for the end of patience.
        self._probe_is_set = False
        self._pace: asyncio.Task[None] | None = None
        self._pace_due = 0.0
        self._end: asyncio.Task[None] | None = None
        self._closed = False
        self.held = breaker.outage_seconds
        """Returns the seconds so far in which no request got through to the service."""
        self.last: CallError | None = None
        """The latest failure since the last success."""
        self.on_slot: set[Callable[[], None]] = set()
        """Called when a slot may be free that nothing waits for."""
        # The first requests of items take turns with all other requests. Both are queues from which
        # a request that is cancelled can be taken without a search.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._fresh: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._fresh_is_next = False
        # Those of them that are sent away when patience ends.
        self._patient: set[asyncio.Future[None]] = set()

    @classmethod
    def adaptive(
        cls, ceiling: int, patience: float, clock: Clock, *, longest_pause: float = 0.0
    ) -> Self:
        """Return one that learns its limit, up to `ceiling`.

        Args:
            ceiling: how many requests may be in flight when all goes well.
            patience: seconds of an outage after which whatever waits is sent away.
            clock: time and chance.
            longest_pause: the longest wait of a caller between two attempts, in seconds.

        """
        breaker = CircuitBreaker(patience, clock.now, clock.random, longest_pause=longest_pause)
        limit = AdaptiveLimit(ceiling, clock.cpu_time)
        return cls(limit, RateLimit(clock.now), breaker, clock.sleep)

    @property
    def ceiling(self) -> int:
        """How many requests may be in flight when all goes well."""
        return self._limit.ceiling

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return self._limit.value

    @property
    def in_flight(self) -> int:
        """How many are in flight now."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting) + len(self._fresh)

    @property
    def state(self) -> State:
        """Whether the service is there."""
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
        """Say whether the service has dealt with a request after a moment."""
        return self._breaker.succeeded_since(moment)

    @property
    def given_up(self) -> bool:
        """Whether there is an outage that lasts too long to be waited for."""
        return self._breaker.timed_out

    @property
    def has_slot(self) -> bool:
        """Whether a slot is free, and nothing waits for it."""
        return self._in_flight < self._slots and not self.waiting and not self._is_paced()

    def idle_latency(self, kind: str) -> float:
        """Return the seconds that an answer takes while there is little to do; 0 if unknown."""
        return self._limit.idle_latency(kind) or 0.0

    def try_acquire(self) -> bool:
        """Take a slot if there is one. Each is given back with `release`."""
        if self._waiting or self._fresh:
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
        """Take a slot; wait for one if there is none. Each is given back with `release`.

        Args:
            patient: whether to wait only until patience ends. If false, waits until the caller's
                own time-out, and probes meanwhile.
            ahead: whether to go ahead of all that wait.
            fresh: whether it is the first request of an item. Such requests take turns with those
                that are repeated: each of these costs a check as well, and after an outage of a
                fleet of clients they would be twice what the service can take.

        Raises:
            GivenUpError: patience is at its end.

        """
        if self.try_acquire():
            return
        if patient and self._breaker.timed_out:
            raise GivenUpError
        turn = asyncio.get_running_loop().create_future()
        queue = self._fresh if fresh else self._waiting
        queue[turn] = None
        if ahead:
            queue.move_to_end(turn, last=False)
            self._fresh_is_next = fresh
        if patient:
            self._patient.add(turn)
        self._arm()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                # The slot was handed over in the same moment: on to the next one.
                self.release()
            # It is no longer there where a slot was handed over, or would have been.
            queue.pop(turn, None)
            raise
        finally:
            self._patient.discard(turn)

    def release(
        self,
        signal: Signal | None = None,
        latency: float = 0.0,
        kind: str = "",
        started: float = math.inf,
        retry_after: float | None = None,
    ) -> None:
        """Give the slot back.

        Args:
            signal: what the answer said about the load; None if there was none, or nothing was
                sent.
            latency: seconds until the answer, or until the slot is given back without one.
            kind: of the request, whose latencies are alike; empty if the latency says nothing.
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
        if self._waiting or self._fresh:
            self._admit()
            self._arm()

    def succeeded(self) -> None:
        """Note that the service dealt with a request."""
        self.last = None
        if self._breaker.record_success():
            if self._end is not None:
                self._end.cancel()
            self._limit.restart()
            self._set_slots()
            self._admit()
            self.tell_of_slot()

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
            self._arm()

    def note(self, error: CallError) -> None:
        """Keep in mind why nothing goes on, until something succeeds."""
        # Without its traceback, which would keep alive what the caller's frames hold.
        self.last = copy.copy(error)

    def tell_of_slot(self) -> None:
        """Call the listeners: a slot may be free that nothing waits for."""
        for tell in self.on_slot:
            tell()

    def _rest(self, latency: float, kind: str) -> None:
        """Keep the slot empty for a while whose request was refused at once."""
        idle = self._limit.idle_latency(kind)
        if idle is not None and latency < idle:
            # Without this the client would repeat a quick refusal as fast as it can.
            self._resting += 1
            self._set_slots()
            self._after(min(_LONGEST_REST, idle - latency), self._rested)

    def _set_slots(self) -> None:
        if self._closed:
            self._slots = sys.maxsize
        elif self._breaker.is_open:
            self._slots = 0
        else:
            self._slots = max(0, self._limit.value - self._resting)

    def _rested(self) -> None:
        self._resting -= 1
        self._set_slots()
        self._admit()
        self.tell_of_slot()

    # Pace.

    def _is_paced(self) -> bool:
        """Say whether the next request has to wait for its turn by the rate limit."""
        return self._rate.active and not self._closed and self._rate.delay > 0

    def _take(self) -> bool:
        """Take a slot that is free, unless the next request has to wait."""
        if self._is_paced():
            return False
        self._in_flight += 1
        if self._rate.active:
            self._rate.sent()
            self._arm_pace()
        return True

    def _keep_rate(self, signal: Signal | None, started: float) -> None:
        if signal is None:
            self._rate.abandoned(started)
        elif signal is not _LIMITED:
            self._rate.accepted(started)
        self._arm_pace()

    def _arm_pace(self) -> None:
        """See to it that the next request is sent when it is due, if there is one."""
        due = self._rate.next
        if due == math.inf or not (self.waiting or self.on_slot):
            return
        if self._pace is None:
            self._pace = self._after(self._rate.delay, self._unset_pace, self._keep_pace)
            self._pace_due = due
        elif due < self._pace_due:
            # When it ends, the next one is set.
            self._pace.cancel()

    def _unset_pace(self) -> None:
        self._pace = None

    def _keep_pace(self) -> None:
        # uvloop's timers end up to a millisecond too early. The request may become due between two
        # looks at the clock: the first one finds that it has to wait, and the last one that it need
        # not. So the timer is set again if any of them found that it has to wait.
        early = self._is_paced()
        self._admit()
        self.tell_of_slot()
        if early or self._is_paced():
            self._arm_pace()

    # Outages.

    def _try_probe(self, *, waited: bool = False) -> bool:
        if not self._breaker.is_open or self._probing or self._breaker.until_probe > 0:
            return False
        self._in_flight += 1
        self._probing = True
        self._breaker.probe_sent(waited=waited)
        if self._rate.active:
            self._rate.sent()
        return True

    def _admit(self) -> None:
        while self.waiting:
            free = self._in_flight < self._slots
            if not (self._take() if free else self._try_probe(waited=True)):
                return
            self._hand_over()

    def _hand_over(self) -> None:
        """Give a slot that is taken to the request that has waited longest."""
        while self.waiting:
            fresh = bool(self._fresh) and (self._fresh_is_next or not self._waiting)
            self._fresh_is_next = not fresh
            turn, _ = (self._fresh if fresh else self._waiting).popitem(last=False)
            if not turn.done():
                turn.set_result(None)
                return
        self._in_flight -= 1
        self._probing = False
        if self._rate.active:
            self._rate.abandoned()
            self._arm_pace()

    def _arm(self) -> None:
        """See to it that those who wait ask again when it is time, and not for ever."""
        if not self.waiting:
            return
        if self._rate.active:
            self._arm_pace()
        if not self._breaker.is_open:
            return
        if not (self._probing or self._probe_is_set):
            self._probe_is_set = True
            self._after(self._breaker.until_probe, self._unset_probe, self._probe)
        if self._patient and not self._breaker.timed_out and self._end is None:
            self._end = self._after(self._breaker.time_left, self._unset_end, self._lose_patience)

    def _unset_probe(self) -> None:
        self._probe_is_set = False

    def _unset_end(self) -> None:
        self._end = None

    def _probe(self) -> None:
        self._admit()
        self._arm()

    def _lose_patience(self) -> None:
        if self._breaker.timed_out:
            for turn in self._patient:
                if not turn.done():
                    turn.set_exception(GivenUpError())
                self._waiting.pop(turn, None)
                self._fresh.pop(turn, None)
        self._arm()

    def _after(
        self, seconds: float, over: Callable[[], None], then: Callable[[], None] | None = None
    ) -> asyncio.Task[None] | None:
        """Call `over` after so many seconds, and `then`; return the timer, if there is one.

        A cancelled timer calls both at once: code that ends all tasks of the loop cancels timers
        too, and requests may still wait.
        """
        if self._closed:
            return None

        async def wait() -> None:
            await self._sleep(seconds)

        def end(timer: asyncio.Task[None]) -> None:
            self._timers.discard(timer)
            if self._closed:
                return
            over()
            if then is not None:
                then()

        timer = asyncio.create_task(wait())
        self._timers.add(timer)
        timer.add_done_callback(end)
        return timer

    async def close(self) -> None:
        """Stop all timers, and let everything through."""
        self._closed = True
        self._set_slots()
        self._admit()
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
