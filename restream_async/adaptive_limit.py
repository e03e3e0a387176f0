"""How many requests a service can take at once, learned from its answers. Pure arithmetic.

The limit starts at its ceiling (up to 64), as most services have room, and is lowered only where
that helps. **A step down is an experiment**: half of the limit, for about a round of answers.

- Latency that falls was queueing: the requests waited for each other. The limit becomes the
  throughput times the latency without queueing (the bandwidth-delay product of TCP BBR), with some
  headroom.
- Latency that stays was not caused by this client. The limit comes back at once, and today's
  latency is the new normal.
- Errors that stay are not caused by this client either. The limit comes back, and such errors are
  forgiven from then on (`error_baseline`).

Three rules need no experiment:

- A refusal takes one slot away, so that the first wave of requests finds the capacity of a service
  that refuses what it has no room for. The first refusal of each later wave takes a tenth, so that
  clients that share a service get similar shares (AIMD, as in TCP).
- The limit grows by one slot at a time, more rarely after each growth that was refused, and faster
  after several that were not. It does not grow while latency is above normal.
- Answers that take seconds are taken for queueing, unless a few requests at a time take as long:
  a client that joins a crowd cannot know what the service takes without it.

Nothing here knows a clock: moments are handed in.
"""

import enum
import math
from typing import Final

import attrs

from restream_async.error_baseline import ErrorBaseline
from restream_async.latencies import Latencies

START: Final = 64
"""The limit at first, where the ceiling allows it."""

# What an experiment is.
_HEADROOM: Final = 1.5
_ALL_QUEUED: Final = 0.5
_SAME: Final = 0.85
_PRECISION: Final = 0.15
_MOST_LATENCIES: Final = 64
# When there is one.
_SLOWER: Final = math.log(1.5)
_PAUSE: Final = 12
_LONGEST_PAUSE: Final = 96
_SOON: Final = 8
# The same, about errors.
_CUTS: Final = 4
_MANY: Final = 6
_LEAST_SHARE: Final = 0.03
_MOST_SHARE: Final = 0.13
_STORM: Final = 0.25
_EXPECTED: Final = 5.0
_LUCK: Final = 0.65
# Refusals.
_YIELD: Final = 0.1
# Growth.
_LONGEST_WAIT: Final = 16
_CONFIRMED: Final = 4
_STRIDE: Final = 0.25
_LITTLE_SLOWER: Final = math.log(1.25)
# Seconds.
_LONGEST: Final = math.log(2.0)
_FEW: Final = 8
# A round of answers, and how many of one kind say anything.
_LEAST_ROUND: Final = 8
_LEAST_LATENCIES: Final = 5


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
        share: of errors among the answers before; 0.0 if errors are not the question.
        answers: since, good ones and errors.
        errors: since.

    """

    limit: float
    kind: str
    base: Latencies
    share: float
    found: Latencies = attrs.field(factory=Latencies)
    answers: int = 0
    errors: int = 0

    @property
    def expected(self) -> float:
        """How many errors there should be if they have nothing to do with the limit."""
        # The share was measured when there happened to be many.
        return self.share * _LUCK * self.answers

    @property
    def error(self) -> float:
        """The standard error of the difference of the latencies."""
        return math.sqrt(self.base.variance + self.found.variance)

    @property
    def over(self) -> bool:
        """Whether the answers so far are enough to judge by."""
        if self.share and self.expected < _EXPECTED:
            return False
        most = max(_MOST_LATENCIES, 2 * self.limit)
        return self.error <= _PRECISION or self.found.count >= most


class AdaptiveLimit:
    """The concurrency limit, from `START` up to a ceiling and down to 1."""

    def __init__(self, ceiling: int, *, start: int = START) -> None:
        """Begin.

        Args:
            ceiling: how many requests may ever be in flight.
            start: how many may be at first, if the ceiling is not lower.

        """
        self._ceiling = float(ceiling)
        self._limit = min(float(start), self._ceiling)
        # Requests sent up to this moment belong to an earlier limit.
        self._changed_at = -math.inf
        self._answers = 0
        self._baseline = ErrorBaseline(self._limit)
        # The latest refusal that lowered the limit.
        self._cut_at = -math.inf
        # Growth: the answer since which nothing was refused, whether the limit was used since, how
        # many rounds to wait, by how much to grow, up to where in leaps, how many growths were not
        # refused, whether the latest one may still be, and the limit and mean latency before it.
        self._clean_since = 0
        self._used = False
        self._wait = 1
        self._step = math.inf
        self._goal: float = math.inf
        self._confirmed = _CONFIRMED
        self._grew = False
        self._grown_from: tuple[float, float] | None = None
        self._may_grow = True
        # Latencies of this round, by the kind of request, and of the last round.
        self._round: dict[str, Latencies] = {}
        self._last: tuple[str, Latencies] | None = None
        self._full = False
        # By the kind of request: today's usual latency, and the least ever seen (logarithms).
        self._normal: dict[str, float] = {}
        self._least: dict[str, float] = {}
        # The logarithm of the seconds that need no reason, and the limit before longer ones.
        self._bearable = _LONGEST
        self._bearable_limit = 0.0
        # Experiments: the one that is on, rounds so far, slow ones in a row, and from which rounds
        # on there may be one about latency, one about errors, and one without a reason.
        self._experiment: _Experiment | None = None
        self._rounds = 0
        self._slow_rounds = 0
        self._next_about_latency = self._next_about_errors = 0
        self._next_check = math.inf
        self._pause = _PAUSE
        self._pause_about_errors = _SOON
        self._check_every = _SOON

    @property
    def value(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """How many may ever be in flight."""
        return int(self._ceiling)

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
        self._answers += 1
        if in_flight > limit - 1.0:
            self._full = self._used = True
        if signal is _SHED:
            self._refused(started, started + latency, in_flight)
            return self._limit != limit
        self._baseline.answered()
        if limit < self._ceiling and self._answers - self._clean_since >= limit * self._wait:
            self._grow(started + latency)
        if kind and started > self._changed_at:
            latencies = self._round.get(kind)
            if latencies is None:
                latencies = self._round[kind] = Latencies()
            latencies.add(latency)
            if self._experiment is not None:
                self._experiment.answers += 1
            if latencies.count >= _LEAST_ROUND and latencies.count >= int(limit):
                self._end_round(started + latency)
        return self._limit != limit

    def restart(self) -> None:
        """Begin with one request after an outage; the old limit is back in a few rounds."""
        experiment = self._experiment
        self._goal = self._limit if experiment is None else experiment.limit
        self._limit = 1.0
        self._round = {}
        self._experiment = None
        self._grow_in_leaps(math.inf)
        self._baseline.begin(self._goal)

    def _set(self, limit: float, now: float) -> None:
        self._limit = max(1.0, min(self._ceiling, limit))
        self._changed_at = now
        self._round = {}
        self._full = False
        self._clean_since = self._answers

    # Refusals.

    def _refused(self, started: float, now: float, in_flight: int) -> None:
        baseline, experiment = self._baseline, self._experiment
        baseline.answers += 1
        baseline.errors += 1
        if experiment is not None:
            if started > self._changed_at:
                experiment.answers += 1
                experiment.errors += 1
                if experiment.errors >= _MANY:
                    self._end_experiment(experiment, now)
            return
        grew = self._grew
        # After a growth, an error is most likely due to that: taking it back costs nothing.
        if (baseline.learned or not grew) and baseline.forgives():
            if not baseline.learned:
                self._clean_since = self._answers
            return
        cut = 1.0
        if started > self._cut_at:
            # The first of its wave.
            self._wait_longer()
            if self._last is not None and not grew:
                cut = max(1.0, _YIELD * self._limit)
        self._cut_at = now
        self._limit = max(1.0, self._limit - cut)
        self._stop_growing()
        if not grew:
            baseline.cuts += 1
            self._suspect(now, in_flight)

    def _suspect(self, now: float, in_flight: int) -> None:
        """Find out what the errors come from, once there are enough of them."""
        baseline = self._baseline
        if baseline.cuts < _CUTS or self._limit < _CUTS:
            return
        if baseline.cuts > _STORM * (baseline.answers + in_flight):
            # There is no doubt that this is load.
            baseline.begin(self._limit)
        elif baseline.measured < _LEAST_SHARE:
            baseline.recount()
        elif (
            baseline.measured <= _MOST_SHARE
            and self._rounds >= self._next_about_errors
            and self._last is not None
        ):
            self._begin_experiment(*self._last, now, share=baseline.measured)

    # Growth.

    def _wait_longer(self) -> None:
        self._wait = min(max(_LONGEST_WAIT, int(self._limit)), self._wait * 2)

    def _stop_growing(self) -> None:
        self._step, self._confirmed = 1.0, 0
        self._grew, self._grown_from = False, None
        self._clean_since = self._answers

    def _grow_in_leaps(self, step: float) -> None:
        self._stop_growing()
        self._step, self._confirmed, self._wait = step, _CONFIRMED, 1
        self._may_grow = True

    def _grow(self, now: float) -> None:
        self._clean_since = self._answers
        used, self._used = self._used, False
        in_doubt = self._grown_from is not None and self._step > 1.0
        if not used or not self._may_grow or in_doubt or self._last is None:
            return
        if self._grew:
            self._wait = max(1, self._wait // 2)
            self._confirmed += 1
            if self._confirmed > _CONFIRMED:
                self._step *= 2.0
        limit = self._limit
        most = limit if limit < self._goal else max(1.0, _STRIDE * limit)
        self._step = min(self._step, most)
        if self._grown_from is None:
            self._grown_from = (limit, self._last[1].mean)
        self._grew = True
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
        round_, self._round = self._round, {}
        full, self._full = self._full, False
        for kind, latencies in round_.items():
            if latencies.count >= _LEAST_LATENCIES:
                surely = latencies.mean + 2 * latencies.error
                self._least[kind] = min(surely, self._least.get(kind, surely))
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
        if self._bear(latencies, now):
            self._normal.pop(kind)
            return
        self._may_grow = mean - normal < _LITTLE_SLOWER + 2 * error
        if self._grew_in_vain(latencies, now):
            return
        slower = mean - normal > _SLOWER + 2 * error
        self._slow_rounds = self._slow_rounds + 1 if slower else 0
        slow = self._slow_rounds > 1 and self._rounds >= self._next_about_latency
        if full and self._limit >= _CUTS and (slow or self._rounds >= self._next_check):
            if slow and last is not None and last[0] == kind:
                latencies.merge(last[1])
            self._begin_experiment(kind, latencies, now)

    def _bear(self, latencies: Latencies, now: float) -> bool:
        """Lower a limit at which answers take seconds, until it is known that they always do."""
        mean = latencies.mean
        if mean - 2 * latencies.error <= self._bearable or self._limit <= 1.0:
            return False
        self._bearable_limit = max(self._bearable_limit, self._limit)
        if self._limit > _FEW:
            target = self._bearable - _LONGEST
            limit = max(float(_FEW), self._limit * math.exp(target - mean))
        else:
            self._bearable = mean + _LONGEST
            limit = self._bearable_limit
        # A limit that grew meanwhile would never be known to be that of a few requests.
        self._may_grow = False
        self._stop_growing()
        self._set(limit, now)
        return True

    # Experiments.

    def _begin_experiment(
        self, kind: str, base: Latencies, now: float, *, share: float = 0.0
    ) -> None:
        self._experiment = _Experiment(limit=self._limit, kind=kind, base=base, share=share)
        self._set(self._limit / 2, now)

    def _observe(
        self, experiment: _Experiment, kind: str, latencies: Latencies, now: float
    ) -> None:
        if kind != experiment.kind:
            # The service is kept busy by something else now.
            self._experiment = None
            self._set(experiment.limit, now)
            return
        experiment.found.merge(latencies)
        if experiment.over:
            self._end_experiment(experiment, now)

    def _end_experiment(self, experiment: _Experiment, now: float) -> None:
        self._experiment = self._last = None
        self._slow_rounds = 0
        limit = experiment.limit
        if experiment.share or experiment.errors >= _MANY:
            judged = self._judge_errors(experiment)
            if judged is None:
                self._stop_growing()
                self._set(limit, now)
                return
            limit = judged
        self._judge_latency(experiment, limit, now)

    def _judge_errors(self, experiment: _Experiment) -> float | None:
        """Return the limit to go back to if errors are not load, else None."""
        baseline, errors = self._baseline, experiment.errors
        stormy = errors > max(_STORM * experiment.answers, 4 * experiment.expected)
        if stormy or errors <= experiment.expected / 4:
            if baseline.learned and not stormy:
                baseline.learn(errors / experiment.answers)
            baseline.begin(experiment.limit)
            self._next_about_errors = self._rounds + self._pause_about_errors
            return None
        limit = self._goal = baseline.limit
        baseline.learn(baseline.measured)
        baseline.begin(limit)
        self._grow_in_leaps(1.0)
        self._pause_about_errors *= 2
        self._next_about_errors = self._rounds + self._pause_about_errors
        return limit

    def _judge_latency(self, experiment: _Experiment, limit: float, now: float) -> None:
        """Go back to the limit, unless less of it is as good."""
        if experiment.found.count < _LEAST_LATENCIES:
            self._set(limit, now)
            return
        kind, error = experiment.kind, experiment.error
        base, found = experiment.base.mean, experiment.found.mean
        fell = base - found
        half = experiment.limit / 2
        product = experiment.limit * math.exp(error - fell) * _HEADROOM
        if fell - error > _ALL_QUEUED:
            # Half of it is still too much.
            product = half
        if product >= _SAME * experiment.limit:
            self._normal[kind] = max(base - _LITTLE_SLOWER, found) + error
            self._set(limit, now)
            self._next_about_latency = self._rounds + self._pause
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            self._next_check = self._next_check + self._check_every
            self._check_every *= 2
        else:
            self._normal[kind] = found
            self._set(max(half, product), now)
            self._stop_growing()
            self._pause = _PAUSE
            self._check_every = _SOON
            self._next_check = self._rounds + 2
