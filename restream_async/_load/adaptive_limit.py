"""Private: the adaptive limit: how many requests a service can take, learned from its answers.

The limit starts at its ceiling (up to 64), as most services have room, and is lowered only if that
helps. **A step down is an experiment**: half of the limit, for about one round of answers.

- If latency falls with the limit, the requests waited for each other, and the throughput is the
  same (Little's law). The limit stays lower, and the next experiment follows soon.
- If latency does not fall, this client is not the cause. The whole limit comes back at once,
  today's latency is the new normal, and the next experiment has to wait.

Besides:

- A refusal lowers the limit, too (`limit_decrease`). Errors that have nothing to do with load are
  forgiven (`error_allowance`).
- The limit grows again (`limit_growth`), but not while latency is above normal.
- Answers that take seconds lower the limit (`long_answers`). The first few of them decide: during
  a whole round the client would refill the queue.
- Latencies say nothing while this client has no CPU time left (`cpu_saturation`).

The comments of constants say what other values did when these were chosen, in simulated time: in
the scenes of `benchmarks/healthy` and `benchmarks/overload`, and in a fleet of 50 clients that
start one by one. Other rules were changed after some of them, so they tell a direction, not a
figure of today.

Moments are handed in: this module knows no clock.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from restream_async._load.cpu_saturation import CpuSaturation
from restream_async._load.error_allowance import ErrorAllowance
from restream_async._load.latencies import Latencies
from restream_async._load.limit_decrease import RefusalWave
from restream_async._load.limit_experiment import ExperimentSchedule, LimitExperiment
from restream_async._load.limit_growth import LEAST_ROUND, LITTLE_SLOWER, LimitGrowth
from restream_async._load.load_signal import Signal
from restream_async._load.long_answers import LongAnswers

START: Final = 64
"""The limit at first, where the ceiling allows it."""

# Fewer latencies of a kind of request than this say nothing.
_LEAST_LATENCIES: Final = 5
# Seconds. The least latency of an answer, as the clock may not have moved.
_SHORTEST: Final = 1e-6
# Looked up once: in Python 3.11 a member of an enum costs as much as a call.
_SHED: Final = Signal.SHED


class AdaptiveLimit:
    """The concurrency limit, from `START` up to a ceiling and down to 1."""

    def __init__(
        self, ceiling: int, computing: Callable[[], float] = lambda: 0.0, *, start: int = START
    ) -> None:
        """Begin.

        Args:
            ceiling: how many requests may ever be in flight.
            computing: CPU seconds of this thread so far.
            start: how many may be in flight at first, if the ceiling is not lower.

        """
        self._cpu = CpuSaturation(computing)
        self._ceiling = float(ceiling)
        self._limit = min(float(start), self._ceiling)
        # Requests that were sent until this moment belong to an earlier limit.
        self._changed_at = -math.inf
        self._answers = 0
        self._allowance = ErrorAllowance(self._ceiling)
        self._wave = RefusalWave()
        # The latest answer at which the limit was used up, and the first ones of this round and of
        # the last one, with their moments.
        self._full_at = 0
        self._began = self._began_before = (math.inf, 0)
        self._growth = LimitGrowth()
        # Latencies of this round, by the kind of request, and of the last round.
        self._round: defaultdict[str, list[float]] = defaultdict(list)
        self._last: tuple[str, Latencies] | None = None
        # By the kind of request: today's usual latency, and the least ever seen (logarithms).
        self._normal: dict[str, float] = {}
        self._least: dict[str, float] = {}
        self._long_answers = LongAnswers()
        self._experiment: LimitExperiment | None = None
        self._schedule = ExperimentSchedule()

    @property
    def value(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """How many may ever be in flight."""
        return int(self._ceiling)

    def recently(self) -> tuple[float, int]:
        """Return a recent moment, infinite if there is none, and the number of answers since."""
        since, answers = self._began_before
        return since, self._answers - answers

    def idle_latency(self, kind: str) -> float | None:
        """Return the least seconds that answers took, if they are known."""
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
            in_flight: how many requests were in flight when it came, this one included.
            kind: of the request; empty if its latency says nothing, as that of an error.

        """
        limit = self._limit
        self._answers = answers = self._answers + 1
        if in_flight > limit - 1.0:
            self._full_at = answers
        if signal is _SHED:
            self._refused(started, started + latency)
            return self._limit != limit
        if limit < self._ceiling and self._growth.is_due(limit, answers):
            self._grow(started + latency)
        if kind and started > self._changed_at:
            latencies = self._round[kind]
            latencies.append(latency or _SHORTEST)
            count = len(latencies)
            if count > limit - 1.0 and count >= LEAST_ROUND:
                self._end_round(started + latency)
            elif count == LEAST_ROUND and latency > self._long_answers.seconds:
                self._lower_long_answers_early(kind, Latencies(latencies), started + latency)
        return self._limit != limit

    def restart(self) -> None:
        """Begin with one request after an outage, and return to the old limit in leaps."""
        experiment = self._experiment
        before = self._limit if experiment is None else experiment.limit
        self._limit = 1.0
        self._round.clear()
        self._allowance.forget()
        self._experiment = None
        self._growth.restart(before, self._answers)

    def _set(self, limit: float, now: float) -> None:
        self._allowance.forget()
        self._move(limit, now)

    def _move(self, limit: float, now: float) -> None:
        self._limit = max(1.0, min(self._ceiling, limit))
        self._changed_at = now
        self._round.clear()
        self._growth.clean_since = self._answers

    # Refusals.

    def _refused(self, started: float, now: float) -> None:
        allowance = self._allowance
        other = allowance.add(self._answers, self._limit, started, now)
        if other is not None:
            self._end_experiment()
            self._growth.stop(self._answers)
            self._move(other, now)
            return
        # After a growth, that is the most likely cause of a refusal.
        grew = self._limit < self._ceiling and self._growth.is_refused(
            self._limit, self._answers, allowance.after_growth
        )
        if not grew and allowance.forgives(started):
            if allowance.is_short and self._limit >= self._growth.goal:
                self._growth.clean_since = self._answers
            return
        self._wave.add(started, now)
        if self._wave.refusals == 1:
            self._growth.wait_longer()
        may_yield = self._last is not None and not grew
        self._limit = self._wave.limit_after(self._limit, may_yield=may_yield)
        self._growth.stop(self._answers)
        if self._experiment is not None:
            self._end_experiment()

    def _grow(self, now: float) -> None:
        growth = self._growth
        if self._schedule.rounds == 0 or self._experiment:
            growth.clean_since = self._answers
            return
        last = None if self._last is None else self._last[1]
        step = growth.step(self._limit, self._answers, self._full_at, last)
        if step > 1.0:
            self._set(self._limit + step, now)
        else:
            self._limit = min(self._ceiling, self._limit + step)

    def _undo_growth(self, latencies: Latencies, now: float) -> bool:
        """Take growths back that have only made answers slower."""
        before = self._growth.limit_before_useless_growth(self._limit, latencies)
        if before is None:
            return False
        self._growth.wait_longer()
        self._growth.stop(self._answers)
        self._schedule.check_next_round()
        self._set(before, now)
        return True

    # Latencies.

    def _end_round(self, now: float) -> None:
        self._schedule.rounds += 1
        full = self._full_at > self._began[1]
        self._began_before, self._began = self._began, (now, self._answers)
        round_ = {kind: Latencies(latencies) for kind, latencies in self._round.items()}
        self._round.clear()
        for kind, latencies in round_.items():
            if latencies.count >= _LEAST_LATENCIES:
                surely = latencies.mean + 2 * latencies.error
                self._least[kind] = min(surely, self._least.get(kind, surely))
        if self._cpu.end_round(now):
            self._schedule.end_slow_rounds()
            self._growth.slow_down()
            self._cancel_experiment(now)
            return
        # The kind of request that kept the service busiest.
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
        if self._lower_long_answers(kind, latencies, now):
            return
        self._growth.allowed = mean - normal < LITTLE_SLOWER + 2 * error
        if self._undo_growth(latencies, now):
            return
        schedule = self._schedule
        schedule.note_latencies(latencies, normal)
        if full and schedule.is_due(self._limit):
            if schedule.is_slow and last is not None and last[0] == kind:
                latencies += last[1]
            self._experiment = LimitExperiment(limit=self._limit, kind=kind, base=latencies)
            self._set(self._limit / 2, now)

    def _lower_long_answers(self, kind: str, latencies: Latencies, now: float) -> bool:
        """Set another limit if answers take seconds; return whether they do."""
        other = self._long_answers.other_limit(self._limit, latencies)
        if other is None:
            return False
        self._normal.pop(kind, None)
        # Else the limit grows before a round at the low limit is complete.
        self._growth.allowed = False
        self._growth.stop(self._answers)
        self._set(other, now)
        return True

    def _lower_long_answers_early(self, kind: str, latencies: Latencies, now: float) -> None:
        """Do so before a round ends, as its other requests would refill the queue."""
        if self._experiment is None and not self._cpu.is_saturated(now):
            self._lower_long_answers(kind, latencies, now)

    # Experiments.

    def _cancel_experiment(self, now: float) -> None:
        if self._experiment is not None:
            self._set(self._experiment.limit, now)
            self._experiment = None

    def _observe(
        self, experiment: LimitExperiment, kind: str, latencies: Latencies, now: float
    ) -> None:
        """Return to the whole limit at the end of an experiment, unless half of it is as good."""
        if kind != experiment.kind:
            # Another kind of request keeps the service busiest now.
            self._cancel_experiment(now)
            return
        experiment.found += latencies
        if not experiment.is_over:
            return
        self._end_experiment()
        self._normal[kind] = experiment.normal
        self._set(experiment.better_limit, now)
        if experiment.helped:
            self._growth.stop(self._answers)
        self._schedule.note_result(helped=experiment.helped)

    def _end_experiment(self) -> None:
        self._experiment = self._last = None
        self._schedule.end_slow_rounds()
        self._round.clear()
