"""A service and its callers in simulated time, event by event: an hour takes milliseconds."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from statistics import median

import attrs

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.load_signal import Signal

# Seconds on the wire, there and back.
WIRE = 0.001


@attrs.define(eq=False)
class Post:
    """One request on its way."""

    sent: float
    over: bool = False


@attrs.define(kw_only=True)
class Simulation:
    """So many creations through a limit, against a service that has only so many hands.

    Attributes:
        limit: what is tested.
        slots: how many requests the service works on at once.
        took: draws the seconds that one takes.
        queue: how many more may wait there; the others get a 503. None: as many as want to.
        timeout: seconds after which a caller gives one up; the service works on it all the same.
        noise: share of the answers that are a 500, whatever the load.
        noise_is_shed: whether those are a 503 instead.
        seed: chooses which.

    """

    limit: AdaptiveLimit
    slots: int
    took: Callable[[random.Random], float]
    queue: int | None = 0
    timeout: float = 2.0
    noise: float = 0.0
    noise_is_shed: bool = False
    now: float = 0.0
    posts: int = 0
    latencies: list[float] = attrs.field(factory=list[float])
    limits: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    _left: int = 0
    _in_flight: int = 0
    _busy: int = 0
    _waiting: deque[Post] = attrs.field(factory=deque[Post])
    seed: int = 1
    _chance: random.Random = attrs.Factory(
        lambda self: random.Random(self.seed),  # noqa: S311 - no secret
        takes_self=True,
    )
    _events: list[tuple[float, int, Callable[[], None]]] = attrs.field(
        factory=list[tuple[float, int, Callable[[], None]]]
    )
    _numbers: "count[int]" = attrs.field(factory=count)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), happens))

    def get_slots(self, slots: int) -> None:
        """Let the service have more or fewer hands from now on."""
        self.slots = slots
        self._work()

    def take(self, took: Callable[[random.Random], float]) -> None:
        """Let the service be quicker or slower from now on."""
        self.took = took

    def run(self, creations: int) -> None:
        """Send as many creations as the limit allows at once, until all are done."""
        self._left = creations
        self._send()
        while len(self.latencies) < creations:
            self.now, _, happens = heapq.heappop(self._events)
            happens()

    @property
    def typical(self) -> float:
        """The median of the seconds that a good answer took."""
        return median(self.latencies)

    def limits_after(self, moment: float) -> list[int]:
        return [limit for when, limit in self.limits if when >= moment]

    def _send(self) -> None:
        while self._left and self._in_flight < self.limit.value:
            self._left -= 1
            self._in_flight += 1
            self.posts += 1
            post = Post(self.now)
            self.after(WIRE / 2, partial(self._arrive, post))
            self.after(self.timeout, partial(self._end, post, Signal.SHED, good=False))

    def _arrive(self, post: Post) -> None:
        if self._busy >= self.slots and self.queue is not None and len(self._waiting) >= self.queue:
            self.after(WIRE / 2, partial(self._end, post, Signal.SHED, good=False))
            return
        self._waiting.append(post)
        self._work()

    def _work(self) -> None:
        while self._waiting and self._busy < self.slots:
            post = self._waiting.popleft()
            self._busy += 1
            self.after(self.took(self._chance), partial(self._served, post))

    def _served(self, post: Post) -> None:
        self._busy -= 1
        self._work()
        good = self._chance.random() >= self.noise
        shed = not good and self.noise_is_shed
        signal = Signal.SHED if shed else Signal.GOOD
        self.after(WIRE / 2, partial(self._end, post, signal, good=good))

    def _end(self, post: Post, signal: Signal, *, good: bool) -> None:
        if post.over:
            return
        post.over = True
        latency = self.now - post.sent
        kind = "POST" if good else ""
        self.limit.record(signal, post.sent, latency, self._in_flight, kind)
        self.limits.append((self.now, self.limit.value))
        if good:
            self.latencies.append(latency)
        else:
            self.after(0.01 + self._chance.random() / 2, self._retry)
        self._in_flight -= 1
        self._send()

    def _retry(self) -> None:
        self._left += 1
        self._send()


def always(seconds: float) -> Callable[[random.Random], float]:
    return lambda _: seconds


def about(seconds: float) -> Callable[[random.Random], float]:
    """Draw seconds that vary as those of a real service may: many short ones, a few long ones."""
    return lambda chance: chance.expovariate(1 / seconds)
