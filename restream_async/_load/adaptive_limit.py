"""How many requests a service can take at once, learned from its answers. Pure arithmetic.

The limit starts at its ceiling (up to 64), as most services have room, and is lowered only where
that helps. **A step down is an experiment**: half of the limit, for about one round of answers.

- If latency falls with the limit, the requests waited for each other, and the throughput is the
  same (Little's law). The limit stays lower, and the next experiment follows soon.
- If it does not, its cause is not this client. The whole limit comes back at once, today's latency
  is the new normal, and the next experiment has to wait.

Besides:

- A refusal takes one slot away, so that the first wave of requests finds the capacity of a service
  that refuses what it has no room for. The second refusal of each later wave takes a quarter, so
  that clients that share a service get similar shares (AIMD, as in TCP). Errors that have nothing
  to do with load are forgiven (`error_allowance`).
- The limit grows by one slot at a time, more rarely after each refusal, and faster after several
  growths that went well. It does not grow while latency is above normal.
- Answers that take seconds are taken for queueing, unless a few requests at a time take as long:
  a client that joins a crowd cannot know what the service takes without it. The first few answers
  are enough for that: a whole round would take as long again, and the queue would stay.

The idea of comparing with a shorter queue is that of TCP BBR and of Envoy's and Netflix's adaptive
concurrency. Unlike these, nothing is lowered before there is a reason, as in botocore's adaptive
mode, which limits nothing before the first refusal.

The comments of constants say what other values did when these were chosen, in simulated time: in
the scenes of `benchmarks/healthy` and `benchmarks/overload`, and in a fleet of 50 clients that
start one by one. Other rules were changed after some of them, so they tell a direction, not a
figure of today.

Nothing here knows a clock: moments are handed in.
"""

import enum
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import attrs

from restream_async._load.error_allowance import ErrorAllowance
from restream_async._load.latencies import Latencies

START: Final = 64
"""The limit at first, where the ceiling allows it."""

# An experiment halves the limit; below this one it could not show much.
_LEAST_LIMIT: Final = 4
# A fall of the mean logarithm of latencies by which half of the limit is as good as the whole: it
# is log(2) if the requests only waited for each other. 0.35: a halved capacity costs 2 % more.
_QUEUED: Final = 0.5
# The standard error at which a difference of latencies is believed, or as many latencies as that.
# Half: heavy tails cost 6 % instead of 4. Twice: a queue with random latencies costs 10 % more.
_PRECISION: Final = 0.15
_MOST_LATENCIES: Final = 64
# Two rounds in a row so much slower than normal are a reason. log(1.22): heavy tails cost 6 %, a
# halved capacity 6 %. log(2.25): slower services cost nothing, but a queue of less is never found.
_SLOWER: Final = math.log(1.5)
# Seconds (logarithm); quicker answers are no reason: a shorter queue would gain nothing.
_QUICK: Final = math.log(0.02)
# Rounds between two experiments that changed nothing, at first and in the end. Half: a slow drift
# costs 10 % at worst instead of 7.
_PAUSE: Final = 12
_LONGEST_PAUSE: Final = 96
# Rounds until the next experiment after one that helped, and twice as many after each that did not.
_SOON: Final = 8
_RAREST: Final = 1024
# What the second refusal of a wave takes. 0.2: a fleet is less fair (0.46 instead of 0.55). 0.35: a
# halved capacity costs 4 % more posts instead of 1.
_YIELD: Final = 0.25
# Rounds between two growths, at the most. Half: a service for 2 requests gets 7 % more posts.
# Twice: 2 % fewer.
_LONGEST_WAIT: Final = 16
# Growths in a row that went well, after which steps double, up to a share of the limit.
_CONFIRMED: Final = 4
_STRIDE: Final = 0.25
# A latency up to which the limit may grow. log(1.57): a halved capacity costs 10 %.
_LITTLE_SLOWER: Final = math.log(1.25)
# Seconds that answers may take without a reason, and how few requests prove that they always do.
# Half: in a fleet that queues a few take as long, so latency is 9 times the idle one. Twice: 4.0,
# now 3.1.
_LONGEST: Final = 2.0
_FEW: Final = 8
# A round has as many answers as the limit, and no fewer than this; fewer latencies of a kind of
# request than the second say nothing.
_LEAST_ROUND: Final = 8
_LEAST_LATENCIES: Final = 5
# A share of the time spent computing from which on latencies tell of this client.
_SATURATED: Final = 0.8
# Seconds; an answer takes at least so long, even if the clock did not move.
_SHORTEST: Final = 1e-6


class Signal(enum.Enum):
    """What an answer says about the load."""

    GOOD = "good"
    """An answer, whatever it says: the service had time for it."""
    SHED = "shed"
    """503, 504, a time-out: it had not."""
    LIMITED = "limited"
    """429: too many in a time, however many at once."""


# A member of an enum costs as much to look up as a call does, in Python 3.11.
_SHED: Final = Signal.SHED


@attrs.define(kw_only=True)
class _Experiment:
    """Half of the limit for a while.

    Attributes:
        limit: the whole of it.
        kind: of request, whose latencies are compared.
        base: latencies at the whole limit.
        found: latencies at half of it.

    """

    limit: float
    kind: str
    base: Latencies
    found: Latencies = attrs.field(factory=Latencies)

    @property
    def error(self) -> float:
        """The standard error of the difference of the latencies."""
        return math.sqrt(self.base.variance + self.found.variance)

    @property
    def is_over(self) -> bool:
        """Whether there are answers enough to judge by."""
        most = max(_MOST_LATENCIES, 2 * self.limit)
        return self.error <= _PRECISION or self.found.count >= most


class AdaptiveLimit:
    """The concurrency limit, from `START` up to a ceiling and down to 1."""

    def __init__(
        self, ceiling: int, computing: Callable[[], float] = lambda: 0.0, *, start: int = START
    ) -> None:
        """Begin.

        Args:
            ceiling: how many requests may ever be in flight.
            computing: seconds that this thread has spent computing so far.
            start: how many may be in flight at first, if the ceiling is not lower.

        """
        self._computing = computing
        self._computed_at = (0.0, 0.0)
        self._ceiling = float(ceiling)
        self._limit = min(float(start), self._ceiling)
        # Requests sent up to this moment belong to an earlier limit.
        self._changed_at = -math.inf
        self._answers = 0
        self._allowance = ErrorAllowance(self._ceiling)
        # A wave: refusals of requests that were sent before its first one came. When that was, and
        # how many of them have lowered the limit.
        self._wave_began = -math.inf
        self._in_wave = 0
        # The latest answer at which the limit was used up, and the first ones of this round and of
        # the last one, with their moments.
        self._full_at = 0
        self._began = self._began_before = (math.inf, 0)
        # Growth: the answer since which nothing was refused, how many rounds to wait, by how much
        # to grow, up to where in leaps, how many growths were not refused, whether the latest one
        # may still be, and the limit and mean latency before it.
        self._clean_since = 0
        self._wait = 1
        self._step = math.inf
        self._goal: float = math.inf
        self._confirmed = _CONFIRMED
        self._grew = False
        self._grown_at = self._errors_since_growth = 0
        self._grown_from: tuple[float, float] | None = None
        self._may_grow = True
        # Latencies of this round, by the kind of request, and of the last round.
        self._round: defaultdict[str, list[float]] = defaultdict(list)
        self._last: tuple[str, Latencies] | None = None
        # By the kind of request: today's usual latency, and the least ever seen (logarithms).
        self._normal: dict[str, float] = {}
        self._least: dict[str, float] = {}
        # The seconds that need no reason, and the limit before longer ones.
        self._bearable = _LONGEST
        self._bearable_limit = 0.0
        # Experiments: the one that is on, rounds so far, slow ones in a row, and from which rounds
        # on there may be one because of latency, and one without a reason.
        self._experiment: _Experiment | None = None
        self._rounds = 0
        self._slow_rounds = 0
        self._next_if_slow = 0
        self._next_check = math.inf
        self._pause = _PAUSE
        self._check_every = _SOON

    @property
    def value(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """How many may ever be in flight."""
        return int(self._ceiling)

    def recently(self) -> tuple[float, int]:
        """Return a moment not long ago, infinite if there is none, and the answers since."""
        since, answers = self._began_before
        return since, self._answers - answers

    def idle_latency(self, kind: str) -> float | None:
        """Return the seconds that answers took when they took least, if it is known."""
        least = self._least.get(kind)
        return None if least is None else math.exp(least)

    def record(
        self, signal: Signal, started: float, latency: float, in_flight: int, kind: str
    ) -> bool:
        """Learn from an answer; return whether the limit has changed.

        Args:
            signal: what it says about the load.
            started: when its request was sent, in seconds on a clock that never goes back.
            latency: seconds that it took.
            in_flight: how many requests there were, this one included, when it came.
            kind: of the request; empty if its latency says nothing, as that of an error.

        """
        limit = self._limit
        self._answers = answers = self._answers + 1
        if in_flight > limit - 1.0:
            self._full_at = answers
        if signal is _SHED:
            self._refused(started, started + latency)
            return self._limit != limit
        if limit < self._ceiling and answers - self._clean_since >= limit * self._wait:
            self._grow(started + latency)
        if kind and started > self._changed_at:
            latencies = self._round[kind]
            latencies.append(latency or _SHORTEST)
            count = len(latencies)
            if count > limit - 1.0 and count >= _LEAST_ROUND:
                self._end_round(started + latency)
            elif count == _LEAST_ROUND and latency > self._bearable:
                self._bear_early(kind, Latencies(latencies), started + latency)
        return self._limit != limit

    def restart(self) -> None:
        """Begin with one request after an outage, and go back to the old limit in leaps."""
        experiment = self._experiment
        goal = self._limit if experiment is None else experiment.limit
        if self._goal < math.inf:
            # On the way back from an earlier outage.
            goal = max(goal, self._goal)
        self._limit = 1.0
        self._round.clear()
        self._allowance.forget()
        self._experiment = None
        self._stop_growing()
        self._goal, self._step, self._confirmed, self._wait = goal, math.inf, _CONFIRMED, 1
        self._may_grow = True

    def _set(self, limit: float, now: float) -> None:
        self._allowance.forget()
        self._move(limit, now)

    def _move(self, limit: float, now: float) -> None:
        self._limit = max(1.0, min(self._ceiling, limit))
        self._changed_at = now
        self._round.clear()
        self._clean_since = self._answers

    # Refusals.

    def _refused(self, started: float, now: float) -> None:
        allowance = self._allowance
        other = allowance.add(self._answers, self._limit, started, now)
        if other is not None:
            self._end_experiment()
            self._stop_growing()
            self._move(other, now)
            return
        grew = self._has_grown_too_far()
        # After a growth, refusals are most likely due to that.
        if not grew and allowance.forgives(started):
            if allowance.is_short and self._limit >= self._goal:
                self._clean_since = self._answers
            return
        cut = 1.0
        if started > self._wave_began:
            self._wave_began, self._in_wave = now, 0
            self._wait_longer()
        self._in_wave += 1
        if self._in_wave == 2 and self._last is not None and not grew:  # noqa: PLR2004 - as it says
            # No single error: others may want a share of the service.
            cut = max(1.0, _YIELD * self._limit)
        self._limit = max(1.0, self._limit - cut)
        self._stop_growing()
        if self._experiment is not None:
            self._end_experiment()

    def _has_grown_too_far(self) -> bool:
        """Say whether a round after a growth has more errors than there are without load."""
        if not self._grew or not self._goal <= self._limit < self._ceiling:
            return False
        if self._answers - self._grown_at > max(_LEAST_ROUND, self._limit):
            return False
        self._errors_since_growth += 1
        return self._errors_since_growth > self._allowance.after_growth * self._limit

    # Growth.

    def _wait_longer(self) -> None:
        self._wait = min(_LONGEST_WAIT, self._wait * 2)

    def _stop_growing(self) -> None:
        self._step, self._goal, self._confirmed = 1.0, 0.0, 0
        self._grew, self._grown_from = False, None
        self._clean_since = self._answers

    def _grow(self, now: float) -> None:
        used = self._full_at > self._clean_since
        self._clean_since = self._answers
        # A leap is measured before the next one, unless it only goes back to an old limit.
        measured = self._last is not None or self._limit < self._goal
        in_doubt = self._step > 1.0 and (self._grown_from is not None or not measured)
        if not used or not self._may_grow or in_doubt or self._rounds == 0 or self._experiment:
            return
        if self._grew:
            self._wait = max(1, self._wait // 2)
            self._confirmed += 1
            if self._confirmed > _CONFIRMED:
                self._step *= 2.0
        limit = self._limit
        leap = min(limit, self._goal - limit)
        most = max(1.0, leap if limit < self._goal else _STRIDE * limit)
        self._step = min(self._step, most)
        if self._grown_from is None and self._last is not None:
            self._grown_from = (limit, self._last[1].mean)
        self._grew, self._grown_at, self._errors_since_growth = True, self._answers, 0
        if self._step > 1.0:
            self._set(limit + self._step, now)
        else:
            self._limit = min(self._ceiling, limit + self._step)

    def _grew_in_vain(self, latencies: Latencies, now: float) -> bool:
        """Take a growth back that has only made answers slower."""
        if self._grown_from is None:
            return False
        (limit, mean), self._grown_from = self._grown_from, None
        leap = math.log(self._limit / limit)
        if leap < _LITTLE_SLOWER or latencies.mean - mean <= leap / 2 + 2 * latencies.error:
            return False
        self._wait_longer()
        self._stop_growing()
        self._next_check = self._rounds + 1
        self._set(limit, now)
        return True

    # Latencies.

    def _end_round(self, now: float) -> None:
        self._rounds += 1
        full = self._full_at > self._began[1]
        self._began_before, self._began = self._began, (now, self._answers)
        round_ = {kind: Latencies(latencies) for kind, latencies in self._round.items()}
        self._round.clear()
        for kind, latencies in round_.items():
            if latencies.count >= _LEAST_LATENCIES:
                surely = latencies.mean + 2 * latencies.error
                self._least[kind] = min(surely, self._least.get(kind, surely))
        saturated = self._is_saturated(now)
        self._computed_at = (now, self._computing())
        if saturated:
            # Answers wait for this client, and their latencies say nothing about the service.
            self._may_grow, self._slow_rounds, self._grown_from = True, 0, None
            self._step = min(self._step, 1.0)
            self._cancel_experiment(now)
            return
        # What has kept the service busiest.
        kind = max(round_, key=lambda kind: round_[kind].seconds)
        latencies = round_[kind]
        if latencies.count < _LEAST_LATENCIES:
            return
        if self._experiment is not None:
            self._observe(self._experiment, kind, latencies, now)
            return
        last, self._last = self._last, (kind, latencies)
        mean, error = latencies.mean, latencies.error
        normal = self._normal[kind] = min(mean + error, self._normal.get(kind, math.inf))
        if self._bear(kind, latencies, now):
            return
        self._may_grow = mean - normal < _LITTLE_SLOWER + 2 * error
        if self._grew_in_vain(latencies, now):
            return
        slower = mean - normal > _SLOWER + 2 * error and mean > _QUICK
        self._slow_rounds = self._slow_rounds + 1 if slower else 0
        slow = self._slow_rounds > 1 and self._rounds >= self._next_if_slow
        if full and self._limit >= _LEAST_LIMIT and (slow or self._rounds >= self._next_check):
            if slow and last is not None and last[0] == kind:
                latencies += last[1]
            self._begin_experiment(kind, latencies, now)

    def _is_saturated(self, now: float) -> bool:
        """Say whether this thread has been computing nearly all of the time since the last round.

        Fewer requests in flight would only make it handle fewer answers at a time, which costs it
        up to 4 % more of its time for each.
        """
        then, before = self._computed_at
        return self._computing() - before > _SATURATED * (now - then)

    def _bear(self, kind: str, latencies: Latencies, now: float) -> bool:
        """Lower a limit at which answers take seconds, until it is known that they always do."""
        seconds = math.exp(latencies.mean)
        if seconds <= self._bearable * math.exp(2 * latencies.error) or self._limit <= 1.0:
            return False
        self._bearable_limit = max(self._bearable_limit, self._limit)
        if self._limit > _FEW:
            limit = max(float(_FEW), self._limit * self._bearable / (_LONGEST * seconds))
        else:
            self._bearable = _LONGEST * seconds
            limit, self._bearable_limit = self._bearable_limit, 0.0
        self._normal.pop(kind, None)
        # A limit that grew meanwhile would never be known to be that of a few requests.
        self._may_grow = False
        self._stop_growing()
        self._set(limit, now)
        return True

    def _bear_early(self, kind: str, latencies: Latencies, now: float) -> None:
        """Do so before a round is over: its other requests make a queue of seconds longer."""
        if self._experiment is None and not self._is_saturated(now):
            self._bear(kind, latencies, now)

    # Experiments.

    def _begin_experiment(self, kind: str, base: Latencies, now: float) -> None:
        self._experiment = _Experiment(limit=self._limit, kind=kind, base=base)
        self._set(self._limit / 2, now)

    def _cancel_experiment(self, now: float) -> None:
        if self._experiment is not None:
            self._set(self._experiment.limit, now)
            self._experiment = None

    def _observe(
        self, experiment: _Experiment, kind: str, latencies: Latencies, now: float
    ) -> None:
        if kind != experiment.kind:
            # The service is kept busy by something else now.
            self._cancel_experiment(now)
            return
        experiment.found += latencies
        if experiment.is_over:
            self._end_experiment()
            self._judge(experiment, now)

    def _end_experiment(self) -> None:
        self._experiment = self._last = None
        self._slow_rounds = 0
        self._round.clear()

    def _judge(self, experiment: _Experiment, now: float) -> None:
        """Go back to the whole limit, unless less of it is as good."""
        limit = experiment.limit
        kind, error = experiment.kind, experiment.error
        base, found = experiment.base.mean, experiment.found.mean
        fell = base - found
        if fell - 2 * error <= _QUEUED:
            self._normal[kind] = max(base - _LITTLE_SLOWER, found) + error
            self._set(limit, now)
            self._next_if_slow = self._rounds + self._pause
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            self._next_check = self._next_check + self._check_every
            self._check_every = min(_RAREST, 2 * self._check_every)
        else:
            self._normal[kind] = found
            self._set(limit / 2, now)
            self._stop_growing()
            self._pause = _PAUSE
            self._check_every = _SOON
            self._next_check = self._rounds + 2
