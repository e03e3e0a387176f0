"""How many requests may be in flight now: first come, first served.

The limit is learnt (`limit`), and in an outage nobody is let through but a probe now and then
(`outage`).
"""

import asyncio
import copy
import math
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Self, TypeAlias

from restream_async.errors import CallError
from restream_async.adaptive_limit import AdaptiveLimit, Signal
from restream_async.outage import Outage
from restream_async.rate_limit import RateLimit
from restream_async.timing import Timing
from restream_async.verdict import Failure

State: TypeAlias = Literal["open", "outage"]

# Nobody is made to wait longer than this for a place at which the service had no room, in seconds.
_LONGEST_REST: Final = 5.0
# Looked up once, not for every answer.
_SHED: Final = Signal.SHED
_LIMITED: Final = Signal.LIMITED


class GivenUpError(Exception):
    """The outage lasts for longer than the patience of the client. Stays inside the library."""


class Gate:
    """Lets requests through in the order in which they asked, as many as the limit allows."""

    def __init__(
        self,
        limit: AdaptiveLimit,
        outage: Outage,
        rate: RateLimit,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Open with nothing in flight; `sleep` waits on the clock of `outage`."""
        self._limit = limit
        self._outage = outage
        self._rate = rate
        # Whether there is a timer for the next request of a paced client.
        self._pace_is_set = False
        self._sleep = sleep
        self._timers: set[asyncio.Task[None]] = set()
        # What may be in flight now: the limit, less the places that rest; none in an outage.
        self._room = limit.value
        self._in_flight = 0
        self._resting = 0
        self._probing = False
        # Whether there is a timer for the next probe; and the one for the end of patience.
        self._probe_is_set = False
        self._end: asyncio.Task[None] | None = None
        self._closed = False
        self.last: CallError | None = None
        """The latest failure since the last success."""
        self.on_room: set[Callable[[], None]] = set()
        """Told when a place may be free that nobody waits for."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        # Who of them is sent away when patience ends.
        self._patient: set[asyncio.Future[None]] = set()

    @classmethod
    def learning(
        cls, ceiling: int, patience: float, timing: Timing, *, longest_pause: float = 0.0
    ) -> Self:
        """Return a gate that learns its limit, up to `ceiling`.

        Args:
            ceiling: how many may be through at once when all goes well.
            patience: seconds of an outage after which who waits is sent away.
            timing: time and chance.
            longest_pause: the longest wait of a caller between two attempts, in seconds.

        """
        outage = Outage(patience, timing.now, timing.random, longest_pause=longest_pause)
        return cls(AdaptiveLimit(ceiling), outage, RateLimit(timing.now), timing.sleep)

    @property
    def ceiling(self) -> int:
        """How many may be through at once when all goes well."""
        return self._limit.ceiling

    @property
    def limit(self) -> int:
        """How many may be through at once now."""
        return self._limit.value

    @property
    def in_flight(self) -> int:
        """How many are through now."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def state(self) -> State:
        """Whether the service is there."""
        return "outage" if self._outage.on else "open"

    def held(self) -> float:
        """Return the seconds so far in which nobody got through to the service."""
        return self._outage.held()

    @property
    def reached(self) -> bool:
        """Whether any request ever got through to the service, answered or not."""
        return self._outage.reached

    def succeeded_since(self, moment: float) -> bool:
        """Say whether the service has dealt with a request after a moment."""
        return self._outage.succeeded_since(moment)

    @property
    def given_up(self) -> bool:
        """Whether there is an outage that lasts too long to be waited for."""
        return self._outage.given_up

    @property
    def has_room(self) -> bool:
        """Whether a place is free, and nobody waits for it."""
        return self._in_flight < self._room and not self._waiting and self._may_send()

    def idle_latency(self, kind: str) -> float:
        """Return the seconds that an answer takes while there is little to do; 0 if unknown."""
        return self._limit.idle_latency(kind) or 0.0

    def try_enter(self) -> bool:
        """Take a place if there is one. Each is given back with `leave`."""
        if self._waiting:
            return False
        if self._in_flight < self._room:
            if self._rate.active:
                return self._try_send()
            self._in_flight += 1
            return True
        return self._try_probe()

    def _may_send(self) -> bool:
        return not self._rate.active or self._closed or self._rate.delay <= 0

    def _try_send(self) -> bool:
        """Take a place at the pace that the service accepts."""
        if not self._may_send():
            self._arm_pace()
            return False
        self._in_flight += 1
        self._rate.sent()
        self._arm_pace()
        return True

    def _arm_pace(self) -> None:
        delay = self._rate.delay
        if self._rate.active and not self._pace_is_set and delay < math.inf:
            self._pace_is_set = True
            self._after(delay, self._unset_pace, self._pace)

    def _unset_pace(self) -> None:
        self._pace_is_set = False

    def _pace(self) -> None:
        self._admit()
        self.tell_of_room()
        if self._rate.active and self._rate.delay > 0:
            self._arm_pace()

    async def enter(
        self, *, patient: bool = True, ahead: bool = False, new: bool = False
    ) -> None:
        """Take a place; wait for one if there is none. Each is given back with `leave`.

        Args:
            ahead: whether to go ahead of all that wait.
            patient: whether to wait only until patience ends. If false, waits until the caller's
                own time-out, and probes meanwhile.

        Raises:
            GivenUpError: patience is at its end.

        """
        if self.try_enter():
            return
        if patient and self._outage.given_up:
            raise GivenUpError
        turn = asyncio.get_running_loop().create_future()
        if ahead:
            self._waiting.appendleft(turn)
        elif new:
            # By turns with those that are tried again, each of which needs a check as well.
            self._waiting.insert(1, turn)
        else:
            self._waiting.append(turn)
        if patient:
            self._patient.add(turn)
        self._arm()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                # The place was handed over in the same moment: on to the next one.
                self.leave()
            elif turn in self._waiting:
                # Else `leave` has already passed over it.
                self._waiting.remove(turn)
            raise
        finally:
            self._patient.discard(turn)

    def leave(
        self,
        signal: Signal | None = None,
        latency: float = 0.0,
        kind: str = "",
        started: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Give the place back.

        Args:
            signal: what the answer said about the load; None if there was none, or nothing was
                sent.
            latency: seconds until the answer, or until the place is given back without one.
            kind: of the request; latencies of one kind are alike.

        """
        rate = self._rate
        if signal is _LIMITED:
            rate.refused(started, retry_after)
            self._arm_pace()
        elif signal is not None:
            rate.accepted(started)
            if rate.active:
                self._arm_pace()
            if self._limit.record(signal, started, latency, self._in_flight, kind):
                self._set_room()
            elif signal is _SHED:
                self._rest(latency, kind)
        elif rate.active:
            rate.abandoned(started)
            self._arm_pace()
        self._in_flight -= 1
        if self._probing and not self._outage.began_before(latency):
            self._probing = False
            self._outage.probed()
        if self._waiting:
            self._admit()
            self._arm()

    def succeeded(self) -> None:
        """Note that the service dealt with a request."""
        self.last = None
        if self._outage.succeeded():
            if self._end is not None:
                self._end.cancel()
            self._limit.restart()
            self._set_room()
            self._admit()
            self.tell_of_room()

    def failed(self, failure: Failure, latency: float = 0.0) -> None:
        """Note that the service did not deal with a request, and why, after so many seconds."""
        self.note(failure.error)
        if self._outage.failed(connected=failure.connected, latency=latency):
            self._set_room()
            self._arm()

    def note(self, error: CallError) -> None:
        """Keep in mind why nothing goes on, until something succeeds."""
        # Without its traceback, which would keep alive what the caller's frames hold.
        self.last = copy.copy(error)

    def tell_of_room(self) -> None:
        """Tell whoever wants to know that a place may be free that nobody waits for."""
        for tell in self.on_room:
            tell()

    def _rest(self, latency: float, kind: str) -> None:
        """Keep the place empty for a while where it was refused at once."""
        idle = self._limit.idle_latency(kind)
        if idle is not None and latency < idle:
            # A service that says no at once would be asked again at once, ever so often.
            self._resting += 1
            self._set_room()
            self._after(min(_LONGEST_REST, idle - latency), self._rested)

    def _set_room(self) -> None:
        if self._closed:
            self._room = sys.maxsize
        elif self._outage.on:
            self._room = 0
        else:
            self._room = max(0, self._limit.value - self._resting)

    def _rested(self) -> None:
        self._resting -= 1
        self._set_room()
        self._admit()
        self.tell_of_room()

    def _try_probe(self, *, waited: bool = False) -> bool:
        if not self._outage.on or self._probing or self._outage.until_probe > 0:
            return False
        self._in_flight += 1
        self._probing = True
        self._outage.probing(waited=waited)
        return True

    def _admit(self) -> None:
        while self._waiting:
            if self._in_flight < self._room:
                if not self._rate.active:
                    self._in_flight += 1
                elif not self._try_send():
                    return
            elif not self._try_probe(waited=True):
                return
            self._hand_over()

    def _hand_over(self) -> None:
        """Give a place that is taken to whoever has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._in_flight -= 1
        self._probing = False

    def _arm(self) -> None:
        """See to it that those who wait in an outage ask when a probe is due, and not for ever."""
        if not (self._waiting and self._outage.on):
            return
        if not (self._probing or self._probe_is_set):
            self._probe_is_set = True
            self._after(self._outage.until_probe, self._unset_probe, self._probe)
        if self._patient and not self._outage.given_up and self._end is None:
            self._end = self._after(
                self._outage.patience_left, self._unset_end, self._lose_patience
            )

    def _unset_probe(self) -> None:
        self._probe_is_set = False

    def _unset_end(self) -> None:
        self._end = None

    def _probe(self) -> None:
        self._admit()
        self._arm()

    def _lose_patience(self) -> None:
        if self._outage.given_up:
            for turn in self._patient:
                if not turn.done():
                    turn.set_exception(GivenUpError())
            self._waiting = deque(turn for turn in self._waiting if not turn.done())
        self._arm()

    def _after(
        self, seconds: float, over: Callable[[], None], then: Callable[[], None] | None = None
    ) -> asyncio.Task[None] | None:
        """Call `over` after so many seconds, and `then`; return the timer, if there is one.

        If somebody cancels the timer, as whoever ends all tasks of the loop does, both are called
        at once: `over`, as nothing waits any more, and `then` for those who are left waiting.
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
        """Stop all timers, and let everybody through."""
        self._closed = True
        self._set_room()
        self._admit()
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
