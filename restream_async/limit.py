"""How many requests a service can take at once, learnt from its answers. Pure arithmetic.

Answers are looked at in rounds, about as many as are in flight. A round in which the service shed
load, or took clearly longer than when it had little to do, makes the limit smaller; a quick one,
in which the limit was really used, makes it larger. Nothing here knows a clock: latencies are
handed in, and everything else is counted.

What the rules are for:

- A service that sheds is probed above its capacity ever more rarely, so that hardly a request is
  wasted on finding out again.
- A service that queues instead of shedding shows it by its latency alone, and is held where the
  latency is about one and a half times that of an idle one: busy, not drowning.
- Clients that share a service don't know of each other, and whoever doubles takes from all others
  what they will hardly get back. So after its first step a client goes up by a fifth at the most.
- Errors that have nothing to do with load must not strangle it, so shedding counts only as far as
  it goes beyond that (`background`).
- A list may be quicker than a creation at any load, so latencies are compared within one kind of
  request only, that which keeps the service busiest; and a quick one counts for less in a round,
  or a hundred looks in the moment after an outage would let in a hundred creations at once.
- A client that has no time itself finds every service slow. Its latencies say nothing then, and it
  is no load that the service could not bear.
"""

import enum
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from restream_async.background import Background

START: Final = 8
"""Where to begin."""
# Fewer answers than this say too little; after an outage, what an idle answer takes is known, and
# up to where a client begins anyway fewer will do.
_ROUND: Final = 8
_ROUND_OF_RETURN: Final = 5
# Fewer latencies than this say nothing.
_LATENCIES: Final = 5
# The longest step up after the first one, as a share of the limit.
_STRIDE: Final = 0.2
# Latency, as a multiple of the idle one: up to the first the limit grows freely, up to the second
# carefully, beyond the third it shrinks to where the fourth is to be expected.
_FREE: Final = 1.2
_CAREFUL: Final = 1.45
_CROWDED: Final = 1.9
_AIM: Final = 1.4
# Shedding, as a share of a round, that calls for a step down at once.
_STORM: Final = 0.25
# How far to step down for a share that is shed: farther than should be needed, so that it shows.
_FARTHER: Final = 1.5
# Rounds between two probes above a limit at which the service has shed, at the most.
_PATIENCE: Final = 64
# Busy rounds after which the idle latency is measured anew.
_REMEASURE: Final = 100


class Signal(enum.Enum):
    """What an answer says about the load."""

    GOOD = "good"
    """An answer, whatever it says: the service had time for it."""
    SHED = "shed"
    """503, 429, a time-out: it had not."""


class AdaptiveLimit:
    """The limit, from a small start up to a ceiling, never below 1."""

    def __init__(
        self, ceiling: int, busy: Callable[[], bool] = lambda: False, *, start: int = START
    ) -> None:
        """Begin small.

        Args:
            ceiling: how many may ever be in flight.
            busy: whether this side had no time to spare since it was last asked.
            start: how many may be in flight at first.

        """
        self._busy = busy
        self._ceiling = float(ceiling)
        self._start = self._limit = min(float(start), self._ceiling)
        # Each by the kind of request.
        self._idle: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._latencies: defaultdict[str, list[float]] = defaultdict(list)
        self._shed = 0
        self._least_round = _ROUND
        # How much of the round is over, in answers that weigh 1.
        self._progress = 0.0
        self._full = False
        # Answers to come that belong to the limit before the last change.
        self._stale = 0
        self._background = Background()
        self._step = math.inf
        self._grown_from: float | None = None
        self._patience = 1
        self._hold = 0
        self._busy_rounds = 0
        self._before_measuring: float | None = None

    @property
    def value(self) -> int:
        """How many may be in flight."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """How many may ever be in flight."""
        return int(self._ceiling)

    def idle_latency(self, kind: str) -> float | None:
        """Return the seconds that an answer takes while there is little to do, if it is known."""
        return self._idle.get(kind)

    def record(self, signal: Signal, latency: float, in_flight: int, kind: str) -> bool:
        """Learn from an answer; return whether the limit has changed.

        Args:
            signal: what it says about the load.
            latency: seconds that it took.
            in_flight: how many requests there were, this one included, when it came.
            kind: of the request; latencies of one kind are alike.

        """
        if self._stale:
            self._stale -= 1
            return False
        if signal is Signal.SHED:
            self._shed += 1
            self._progress += 1.0
        else:
            self._latencies[kind].append(latency)
            self._progress += self._weights.get(kind, 1.0)
        limit = self._limit
        if in_flight > limit - 1.0:
            self._full = True
        progress = self._progress
        if progress < self._least_round or progress + 1.0 <= limit:
            return False
        self._end_round()
        if self._limit == limit:
            return False
        self._stale = in_flight - 1
        return True

    def restart(self) -> None:
        """Begin with one request again, after an outage; what an idle answer takes is kept."""
        self._limit = 1.0
        self._least_round = _ROUND_OF_RETURN
        self._step, self._grown_from = math.inf, None
        self._patience, self._hold, self._stale = 1, 0, 0
        self._before_measuring = None
        self._background.begin_anew()
        self._clear()

    def _end_round(self) -> None:
        shed, answers = self._shed, self._shed + sum(map(len, self._latencies.values()))
        full = self._full
        kind = max(self._latencies, key=self._work, default="")
        least, typical = self._crowding(kind)
        if self._busy():
            least = typical = 1.0
        self._clear()
        if self._steps_down(shed, answers):
            return
        background = self._background
        if self._measure(kind, typical):
            self._grown_from = None
        elif least > _CROWDED:
            self._step, self._grown_from = 1.0, None
            self._limit = max(1.0, self._limit / 2, self._limit * _AIM / least)
        elif self._hold or background.testing:
            self._hold -= self._hold > 0
            self._grown_from = None
        elif full and not background.excess(shed, answers) and least < _CAREFUL:
            self._grow(least)
        else:
            self._grown_from = None

    def _steps_down(self, shed: int, answers: int) -> bool:
        """Make the limit smaller if this round sheds too much, or all of the latest ones do."""
        background, limit = self._background, self._limit
        excess = 0.0 if background.testing else background.excess(shed, answers)
        share, usual = shed / answers, background.share
        if shed > 1 and excess > _STORM:
            lower = limit * max(0.5, 1.0 - share)
        elif excess and self._grown_from is not None:
            self._retreat(self._grown_from)
            return True
        elif share := background.note(shed, answers):
            lower = limit - max(1.0, limit * (share - usual) * _FARTHER)
        else:
            if background.share > usual:
                # It was not load that has made the limit smaller.
                self._patience, self._hold = 1, 0
            return False
        self._retreat(lower)
        background.suspect(share, self._limit / limit)
        return True

    def _clear(self) -> None:
        self._latencies.clear()
        self._shed = 0
        self._progress = 0.0
        self._full = False

    def _work(self, kind: str) -> float:
        return len(self._latencies[kind]) * self._weights.get(kind, 1.0)

    def _know(self, kind: str, idle: float) -> None:
        self._idle[kind] = idle
        longest = max(self._idle.values())
        self._weights = {
            each: idle / longest if longest else 1.0 for each, idle in self._idle.items()
        }

    def _crowding(self, kind: str) -> tuple[float, float]:
        """Return how many times as long as an idle one this service took: at least, and typically.

        What latencies vary by themselves is taken off the first: two standard errors of a median.
        """
        latencies = sorted(self._latencies[kind])
        count = len(latencies)
        if count < _LATENCIES:
            return 1.0, 1.0
        typical = latencies[count // 2]
        spread = latencies[(3 * count) // 4] - latencies[count // 4]
        error = 0.93 * spread / math.sqrt(count)
        idle = self._idle.get(kind)
        if idle is None:
            idle = typical
            self._know(kind, idle)
            # Nobody knows how crowded it was: the next best moment to measure is now.
            self._busy_rounds = _REMEASURE
        elif typical + error < idle:
            # A lucky round is no proof: half the way.
            idle = (idle + typical) / 2
            self._know(kind, idle)
        if idle <= 0:
            return 1.0, 1.0
        return (typical - 2 * error) / idle, typical / idle

    def _retreat(self, limit: float) -> None:
        self._limit = max(1.0, limit)
        self._step, self._grown_from = 1.0, None
        self._hold = self._patience
        self._patience = min(_PATIENCE, self._patience * 4)
        self._before_measuring = None

    def _grow(self, crowding: float) -> None:
        if self._grown_from is not None:
            # The last step went well: a larger one may follow.
            self._step = min(self._step * 2, max(1.0, self._limit * _STRIDE))
            self._patience = max(1, self._patience // 4)
        usual = math.sqrt(self._limit)
        room = self._limit if crowding < _FREE else usual
        self._grown_from = self._limit
        self._limit = min(self._ceiling, self._limit + min(self._step, room))
        if self._limit >= self._start:
            self._least_round = _ROUND

    def _measure(self, kind: str, crowding: float) -> bool:
        """Now and then, work below the limit for a round to see what an idle answer takes."""
        if self._before_measuring is not None:
            self._limit, self._before_measuring = self._before_measuring, None
            if kind in self._idle:
                self._know(kind, self._idle[kind] * crowding)
            return True
        self._busy_rounds += crowding >= _FREE
        if self._busy_rounds < _REMEASURE:
            return False
        self._busy_rounds = 0
        self._before_measuring = self._limit
        self._limit = max(1.0, self._limit / 3)
        return True
