"""How many requests may be in flight now: first come, first served.

The limit is learnt (`limit`), and in an outage nobody is let through but a probe now and then
(`outage`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from restream_async.limit import AdaptiveLimit, Signal
from restream_async.outage import Outage

State: TypeAlias = Literal["open", "outage"]

Later: TypeAlias = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds."""

# Nobody is made to wait longer than this for a place at which the service had no room, in seconds.
_LONGEST_REST: Final = 5.0


class GivenUpError(Exception):
    """The outage lasts for longer than the patience of the client. Stays inside the library."""


def _later(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)


class Gate:
    """Lets requests through in the order in which they asked, as many as the limit allows."""

    def __init__(self, limit: AdaptiveLimit, outage: Outage, later: Later = _later) -> None:
        """Open with nothing in flight."""
        self._limit = limit
        self._outage = outage
        self._later = later
        self._in_flight = 0
        self._resting = 0
        self._probing = False
        self._armed = False
        self.on_room: set[Callable[[], None]] = set()
        """Told when a place may be free that nobody waits for."""
        self._waiting: deque[asyncio.Future[None]] = deque()

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

    @property
    def has_room(self) -> bool:
        """Whether a place is free, and nobody waits for it."""
        return not self._waiting and self._is_free()

    def try_enter(self) -> bool:
        """Take a place if there is one. Each is given back with `leave`."""
        if self._waiting or not self._is_free():
            return False
        self._let_in()
        return True

    async def enter(self) -> None:
        """Take a place; wait for one if there is none. Each is given back with `leave`.

        Raises:
            GivenUpError: there is an outage, and it lasts too long.

        """
        if self.try_enter():
            return
        if self._outage.given_up:
            raise GivenUpError
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
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

    def leave(self, signal: Signal | None = None, latency: float = 0.0) -> None:
        """Give the place back.

        Args:
            signal: what the answer said about the load; None if there was none, or nothing was
                sent.
            latency: seconds until the answer.

        """
        if signal is not None:
            self._limit.record(signal, latency, self._in_flight)
        self._in_flight -= 1
        self._probing = False
        idle = self._limit.idle_latency
        if signal is Signal.SHED and idle is not None and latency < idle:
            # A service that says no at once would be asked again at once, ever so often.
            self._resting += 1
            self._later(min(_LONGEST_REST, idle - latency), self._rested)
        if self._waiting:
            self._admit()
            self._arm()

    def succeeded(self) -> None:
        """Note that the service dealt with a request."""
        if self._outage.succeeded():
            self._limit.restart()
            self._admit()
            self.tell_of_room()

    def failed(self) -> None:
        """Note that the service did not deal with a request."""
        if self._outage.failed():
            self._arm()
            self._later(self._outage.until_given_up, self._give_up)

    def active_time(self) -> float:
        """Return seconds on a clock that stands still during an outage."""
        return self._outage.active_time()

    def _is_free(self) -> bool:
        if self._outage.on:
            return not self._probing and self._outage.until_probe <= 0
        return self._in_flight + self._resting < self._limit.value

    def _let_in(self) -> None:
        self._in_flight += 1
        if self._outage.on:
            self._probing = True
            self._outage.probing()

    def _admit(self) -> None:
        while self._waiting and self._is_free():
            turn = self._waiting.popleft()
            if not turn.done():
                self._let_in()
                turn.set_result(None)

    def tell_of_room(self) -> None:
        """Tell whoever wants to know that a place may be free that nobody waits for."""
        for tell in self.on_room:
            tell()

    def _rested(self) -> None:
        self._resting -= 1
        self._admit()
        self.tell_of_room()

    def _arm(self) -> None:
        """See to it that somebody who waits in an outage is let through when a probe is due."""
        if self._waiting and self._outage.on and not self._armed:
            self._armed = True
            self._later(self._outage.until_probe, self._probe)

    def _probe(self) -> None:
        self._armed = False
        self._admit()
        if not self._probing:
            self._arm()

    def _give_up(self) -> None:
        if not self._outage.given_up:
            if self._outage.on:
                self._later(self._outage.until_given_up, self._give_up)
            return
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(GivenUpError())
