"""A service with a rate limit and one client, in simulated time, event by event."""

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Protocol

import attrs

from restream_async._load.rate_limit import RateLimit


class Quota(Protocol):
    """What the service allows."""

    def take(self, now: float) -> bool:
        """Say whether one more request is accepted now."""
        ...


@attrs.define
class TokenBucket:
    """So many requests a second, and a burst of so many at once."""

    rate: float
    burst: float
    _tokens: float = attrs.Factory(lambda self: self.burst, takes_self=True)
    _filled_at: float = 0.0

    def take(self, now: float) -> bool:
        elapsed, self._filled_at = now - self._filled_at, now
        # Rounding must not cost a request that comes when its token is due.
        self._tokens = min(self.burst, self._tokens + elapsed * self.rate + 1e-9)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


@attrs.define
class FixedWindow:
    """So many requests in each window of so many seconds."""

    size: int
    seconds: float
    _window: int = -1
    _taken: int = 0

    def take(self, now: float) -> bool:
        window = int(now // self.seconds)
        if window != self._window:
            self._window, self._taken = window, 0
        self._taken += 1
        return self._taken <= self.size


@attrs.define(kw_only=True)
class RateLimited:
    """A client with so many requests at a time that sends what the rate limit allows."""

    quota: Quota
    latency: float = 0.05
    concurrency: int = 64
    retry_after: float | None = None
    now: float = 0.0
    posts: int = 0
    refused: int = 0
    accepted: list[float] = attrs.field(factory=list[float])
    limit: RateLimit = attrs.Factory(
        lambda self: RateLimit(lambda: self.now),
        takes_self=True,
    )
    _left: int = 0
    _in_flight: int = 0
    _wakes_at: float = math.inf
    _events: list[tuple[float, int, Callable[[], None]]] = attrs.field(
        factory=list[tuple[float, int, Callable[[], None]]]
    )
    _numbers: "count[int]" = attrs.field(factory=count)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), happens))

    def run(self, creations: int) -> float:
        """Send until so many more are accepted; return the seconds that it took."""
        began = self.now
        self._left += creations
        until = len(self.accepted) + creations
        self._send()
        while len(self.accepted) < until:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        return self.now - began

    def _send(self) -> None:
        while self._left and self._in_flight < self.concurrency:
            if self.limit.active and self.limit.delay > 0:
                self._wake()
                return
            if self.limit.active:
                self.limit.sent()
            self._left -= 1
            self._in_flight += 1
            self.posts += 1
            self._post(self.now)

    def _wake(self) -> None:
        if self.now + self.limit.delay < self._wakes_at:
            self._wakes_at = self.now + self.limit.delay
            self.after(self.limit.delay, self._woken)

    def _woken(self) -> None:
        self._wakes_at = math.inf
        self._send()

    def _post(self, started: float) -> None:
        def arrives() -> None:
            accepted = self.quota.take(self.now)
            self.after(self.latency / 2, lambda: self._end(started, accepted=accepted))

        self.after(self.latency / 2, arrives)

    def _end(self, started: float, *, accepted: bool) -> None:
        self._in_flight -= 1
        if accepted:
            self.accepted.append(self.now)
            if self.limit.active:
                self.limit.accepted(started)
        else:
            self.refused += 1
            self._left += 1
            self.limit.refused(started, self.retry_after, self._recently())
        self._send()

    def _recently(self) -> tuple[float, int]:
        """Return when the last round but one ended, and how many were accepted since."""
        first = (len(self.accepted) // self.concurrency - 1) * self.concurrency
        if first <= 0:
            return math.inf, len(self.accepted)
        return self.accepted[first - 1], len(self.accepted) - first
