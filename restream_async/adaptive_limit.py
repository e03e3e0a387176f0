"""How many requests a service can take at once, learnt from its answers. Pure arithmetic.

The limit starts at its ceiling (up to 64), because most services have room, and is lowered only
where that helps. **A step down is an experiment**: half of the limit for about one round of
answers.

- Latency that falls in proportion was queueing: the requests waited for each other. The limit
  becomes the bandwidth-delay product, throughput times the latency of the experiment, with some
  headroom (TCP BBR finds it in the same way).
- Latency that stays was not caused by this client: the old limit comes back at once, and today's
  latency is the new normal.
- Errors that stay when the limit is lower are the service's own: they are forgiven from then on,
  up to a share (`_Forgiveness`), and the old limit comes back.

Two rules need no experiment. A refusal takes its own slot away, so that the first wave of requests
finds the capacity of a service that refuses what it has no room for. And answers that take seconds
are taken for queueing unless a few requests at a time take as long.

Latencies are compared by the mean of their logarithms, with its standard error. It is not fooled
by a few slow answers, and a service that is n times as slow shifts it by log(n).

Nothing here knows a clock: moments are handed in.
"""

import enum
import math
from typing import Final

import attrs

START: Final = 64
"""The limit at first, where the ceiling allows it."""

_HEADROOM: Final = 1.5
_ALL_QUEUED: Final = 0.5
_SLOWER: Final = math.log(1.5)
_LITTLE: Final = math.log(1.25)
_CROWDED: Final = math.log(1.35)
_OVERCROWDED: Final = math.log(6.5)
_AIM_OF_OVERCROWDED: Final = math.log(3.5)
_LONGEST: Final = math.log(2.0)
_FEW: Final = 8
_LEAST_ROUND: Final = 8
_LEAST_LATENCIES: Final = 5
_PRECISION: Final = 0.15
_MOST_LATENCIES: Final = 64
_FIRST_CHECK: Final = 64
_SOON: Final = 8
_RAREST_CHECK: Final = 1024
_FIRST_PAUSE: Final = 12
_LONGEST_PAUSE: Final = 96

_FORGIVEN: Final = 0.05
_MOST_FORGIVEN: Final = 0.15
_SAVED: Final = 60.0
_ERRORS: Final = 8
_EXPECTED: Final = 5.0
_STORM: Final = 0.25
_STORM_LASTS: Final = 1000
_SHARE_OF_ERRORS: Final = 0.13
_LEAST_SHARE: Final = 0.03
_SURPLUS: Final = 1.5
_LUCK: Final = 0.65

_YIELD: Final = 0.5
_LONGEST_WAIT: Final = 16
_CONFIRMED: Final = 4
_LEAP: Final = 1.25


class Signal(enum.Enum):
    """What an answer says about the load."""

    GOOD = "good"
    """An answer, whatever it says: the service had time for it."""
    SHED = "shed"
    """503, 504, a time-out: it had not."""
    LIMITED = "limited"
    """429: too many in a time, however many at once."""


_SHED: Final = Signal.SHED


class _Latencies:
    """Latencies of one kind of request, by their logarithms."""

    __slots__ = ("count", "seconds", "squares", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.squares = 0.0
        self.seconds = 0.0

    def add(self, latency: float) -> None:
        log = math.log(latency) if latency > 0 else -30.0
        self.count += 1
        self.total += log
        self.squares += log * log
        self.seconds += latency

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Of the mean."""
        return max(0.0, self.squares / self.count - self.mean**2) / self.count

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.variance)

    def merge(self, other: "_Latencies") -> None:
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.seconds += other.seconds


class _Forgiveness:
    """Which share of the answers may be an error without being taken for load."""

    __slots__ = ("answers", "credit", "cuts", "errors", "high", "share")

    def __init__(self, limit: float) -> None:
        self.share = _FORGIVEN
        self.credit = 1.0 + _SAVED * _FORGIVEN
        self.high = limit
        self.forget(limit)

    @property
    def learnt(self) -> bool:
        return self.share > _FORGIVEN

    def forget(self, limit: float) -> None:
        """Begin to count anew; `limit` is the one to go back to."""
        self.high = limit
        self.recount()

    def recount(self) -> None:
        self.answers = self.errors = self.cuts = 0

    def forgives(self) -> bool:
        if self.credit < 1.0:
            return False
        self.credit -= 1.0
        return True

    def learn(self, share: float) -> None:
        self.share = max(_FORGIVEN, min(_MOST_FORGIVEN, share * _SURPLUS))
        self.credit = 1.0 + _SAVED * self.share


@attrs.define(kw_only=True)
class _Experiment:
    """Half of the limit for a while."""

    limit: float
    kind: str
    base: _Latencies
    found: _Latencies
    share: float
    errors: int = 0


class AdaptiveLimit:
    """The limit, from `START` up to a ceiling and down to 1."""

    log = None

    def __init__(self, ceiling: int, *, start: int = START) -> None:
        """Begin at `start`, or at the ceiling if that is lower."""
        self._ceiling = float(ceiling)
        self._limit = min(float(start), self._ceiling)
        self._changed_at = -math.inf
        self._answers = 0
        self._errors = _Forgiveness(self._limit)
        self._refused_at = 0
        self._stormy_until = 0
        # Growth.
        self._clean_since = 0
        self._full = self._was_full = False
        self._wait = 1
        self._step = math.inf
        self._goal = math.inf
        self._grew = False
        self._confirmed = _CONFIRMED
        self._grown_from = None
        self._may_grow = True
        # Latencies.
        self._windows: dict[str, _Latencies] = {}
        self._last: tuple[str, _Latencies] | None = None
        self._normal: dict[str, float] = {}
        self._least: dict[str, float] = {}
        self._crowding = 0.0
        self._bearable = _LONGEST
        self._before_slow = 0.0
        self._experiment: _Experiment | None = None
        self._slow = 0
        self._round = 0
        self._next_slow = self._next_errors = 0
        self._pause = _FIRST_PAUSE
        self._errors_pause = _SOON
        self._check_every = _FIRST_CHECK
        self._next_check = _FIRST_CHECK

    @property
    def value(self) -> int:
        """How many may be in flight."""
        return int(self._limit)

    @property
    def ceiling(self) -> int:
        """How many may ever be in flight."""
        return int(self._ceiling)

    def idle_latency(self, kind: str) -> float | None:
        """Return the seconds that an answer took when it took least, if it is known."""
        least = self._least.get(kind)
        return None if least is None else math.exp(least)

    def record(
        self, signal: Signal, started: float, latency: float, in_flight: int, kind: str
    ) -> bool:
        limit = self._limit
        self._answers += 1
        if in_flight > limit - 1.0:
            self._full = self._was_full = True
        errors = self._errors
        errors.answers += 1
        if signal is _SHED:
            self._refused(started, started + latency, in_flight)
            return self._limit != limit
        if errors.credit < 1.0 + _SAVED * errors.share:
            errors.credit += errors.share
        if limit < self._ceiling and self._answers - self._clean_since >= limit * self._wait:
            self._grow(started + latency)
        if kind and started >= self._changed_at:
            window = self._windows.get(kind)
            if window is None:
                window = self._windows[kind] = _Latencies()
            window.add(latency)
            if window.count >= _LEAST_ROUND and window.count >= int(limit):
                self._end_round(started + latency)
        return self._limit != limit

    def restart(self) -> None:
        """Begin with one request after an outage, and go back to the old limit in a few rounds."""
        self._goal = self._limit
        self._limit = 1.0
        self._windows = {}
        self._experiment = None
        self._may_grow = True
        self._clean_since = self._answers
        self._grow_at_will()
        self._errors.forget(self._goal)

    # Refusals.

    def _refused(self, started: float, now: float, in_flight: int) -> None:
        errors = self._errors
        stood = self._answers - self._refused_at > self._limit
        self._refused_at = self._answers
        errors.errors += 1
        experiment = self._experiment
        if experiment is not None:
            experiment.errors += started >= self._changed_at
            if experiment.errors >= _ERRORS:
                self._end_experiment(now)
            return
        if not (self._grew and not errors.learnt) and errors.forgives():
            if not errors.learnt:
                self._clean_since = self._answers
            return
        cut = 1.0
        if stood and not self._grew and self._last is not None:
            cut = max(1.0, _YIELD * self._limit)
        self._wait_more()
        self._limit = max(1.0, self._limit - cut)
        self._stop_growing()
        errors.cuts += 1
        if errors.cuts < _ERRORS:
            return
        if errors.errors < _LEAST_SHARE * errors.answers:
            errors.recount()
        elif errors.cuts > _STORM * (errors.answers + in_flight):
            self._stormy_until = self._answers + _STORM_LASTS
            errors.forget(self._limit)
        elif (
            errors.errors <= _SHARE_OF_ERRORS * errors.answers
            and self._answers > self._stormy_until
            and self._round >= self._next_errors
            and self._last is not None
            and self._crowding < _CROWDED
        ):
            self._begin_experiment(now, *self._last, share=errors.errors / errors.answers)

    # Growth.

    def _wait_more(self) -> None:
        self._wait = min(max(_LONGEST_WAIT, int(self._limit)), self._wait * 2)

    def _stop_growing(self) -> None:
        self._step, self._confirmed = 1.0, 0
        self._grew, self._grown_from = False, None
        self._clean_since = self._answers

    def _grow_at_will(self) -> None:
        self._step, self._confirmed, self._wait = math.inf, _CONFIRMED, 1
        self._grew, self._grown_from = False, None

    def _grow(self, now: float) -> None:
        self._clean_since = self._answers
        full, self._was_full = self._was_full, False
        if not full or not self._may_grow or self._experiment is not None:
            return
        if self._grown_from is not None and self._step > 1.0:
            return
        if self._grew:
            self._wait = max(1, self._wait // 2)
            self._confirmed += 1
            if self._confirmed > _CONFIRMED:
                self._step *= 2.0
        limit = self._limit
        most = limit if limit < self._goal else max(1.0, 0.25 * limit)
        step = self._step = min(self._step, most)
        if self._grown_from is None:
            self._grown_from = (limit, self._last[1].mean if self._last else 0.0)
        self._grew = True
        if step > 1.0:
            self._set(limit + step, now)
        else:
            self._limit = min(self._ceiling, limit + step)

    def _set(self, limit: float, now: float) -> None:
        self._limit = max(1.0, min(self._ceiling, limit))
        self._changed_at = now
        self._windows = {}
        self._full = False
        self._clean_since = self._answers

    # Latencies.

    def _end_round(self, now: float) -> None:
        self._round += 1
        windows, self._windows = self._windows, {}
        full, self._full = self._full, False
        for kind, window in windows.items():
            if window.count >= _LEAST_LATENCIES:
                surely = window.mean + 2 * window.error
                self._least[kind] = min(surely, self._least.get(kind, surely))
        kind = max(windows, key=lambda kind: windows[kind].seconds)
        window = windows[kind]
        if window.count < _LEAST_LATENCIES:
            return
        if self._experiment is not None:
            self._observe(kind, window, now)
            return
        last, self._last = self._last, (kind, window)
        mean, error = window.mean, window.error
        normal = self._normal[kind] = min(mean + error, self._normal.get(kind, math.inf))
        over = mean - normal
        self._crowding = mean - self._least[kind]
        if self._ease(kind, window, now, full=full):
            return
        self._may_grow = over < _LITTLE + 2 * error
        if self._grown_in_vain(window, now):
            return
        self._slow = self._slow + 1 if over > _SLOWER + 2 * error else 0
        slow = self._slow >= 2 and self._round >= self._next_slow
        if full and self._limit >= 4 and (slow or self._round >= self._next_check):
            if self._slow >= 2 and last is not None and last[0] == kind:
                window.merge(last[1])
            self._begin_experiment(now, kind, window)

    def _ease(self, kind: str, window: _Latencies, now: float, *, full: bool) -> bool:
        """Lower a limit at which answers take seconds, or much longer than they have to."""
        surely = window.mean - 2 * window.error
        if surely > self._bearable and self._limit > 1:
            if self.log: self.log(now, "slow", self._limit, window.mean)
            if self._limit <= _FEW:
                self._bearable = window.mean + _LONGEST
                limit = self._before_slow
            else:
                self._before_slow = max(self._before_slow, self._limit)
                limit = max(_FEW, self._limit * math.exp(self._bearable - _LONGEST - window.mean))
        elif full and self._limit > 1 and surely - self._least[kind] > _OVERCROWDED:
            if self.log: self.log(now, "crowded", self._limit, math.exp(self._crowding))
            limit = self._limit * math.exp(_AIM_OF_OVERCROWDED - self._crowding)
        else:
            return False
        self._set(limit, now)
        self._stop_growing()
        self._normal.pop(kind, None)
        return True

    def _grown_in_vain(self, window: _Latencies, now: float) -> bool:
        if self._grown_from is None:
            return False
        limit, mean = self._grown_from
        self._grown_from = None
        rise = math.log(self._limit / limit)
        if self._limit < _LEAP * limit or window.mean - mean <= rise / 2 + 2 * window.error:
            return False
        if self.log: self.log(now, "in vain", limit, self._limit, window.mean - mean)
        self._wait_more()
        self._stop_growing()
        self._next_check = self._round + 1
        self._set(limit, now)
        return True

    # Experiments.

    def _begin_experiment(
        self, now: float, kind: str, base: _Latencies, share: float = 0.0
    ) -> None:
        if self.log: self.log(now, "experiment", self._limit, math.exp(base.mean), self._slow, share)
        self._experiment = _Experiment(
            limit=self._limit, kind=kind, base=base, found=_Latencies(), share=share
        )
        self._set(self._limit / 2, now)

    def _observe(self, kind: str, window: _Latencies, now: float) -> None:
        experiment = self._experiment
        assert experiment is not None
        if kind != experiment.kind:
            self._experiment = None
            self._set(experiment.limit, now)
            return
        found = experiment.found
        found.merge(window)
        error = math.sqrt(experiment.base.variance + found.variance)
        vague = error > _PRECISION and found.count < max(_MOST_LATENCIES, 2 * experiment.limit)
        expected = experiment.share * _LUCK * (found.count + experiment.errors)
        if not (vague or 0 < expected < _EXPECTED):
            self._end_experiment(now)

    def _end_experiment(self, now: float) -> None:
        experiment, self._experiment = self._experiment, None
        assert experiment is not None
        limit, errors, found = experiment.limit, self._errors, experiment.found
        self._slow, self._last = 0, None
        if experiment.errors >= _ERRORS or experiment.share:
            count = found.count + experiment.errors
            expected = experiment.share * _LUCK * count
            if self.log: self.log(now, "errors", limit, self._limit, experiment.share, float(experiment.errors), expected)
            if experiment.errors > max(_STORM * count, expected * 4):
                # more than before
                errors.forget(self._limit)
                self._stop_growing()
                self._next_errors = self._round + self._errors_pause
                return
            if experiment.share and experiment.errors <= expected / 4:
                if errors.learnt:
                    errors.learn(experiment.errors / count)
                errors.forget(self._limit)
                self._stop_growing()
                self._next_errors = self._round + self._errors_pause
                return
            errors.learn(errors.errors / errors.answers)
            limit = self._goal = errors.high
            self._grow_at_will()
            self._step = max(1.0, limit - self._limit)
            errors.forget(limit)
            self._errors_pause *= 2
            self._next_errors = self._round + self._errors_pause
        if found.count < _LEAST_LATENCIES:
            self._set(limit, now)
            return
        fell = experiment.base.mean - found.mean
        error = math.sqrt(experiment.base.variance + found.variance)
        if fell - error > _ALL_QUEUED:
            product = self._limit
        else:
            product = experiment.limit * math.exp(error - fell) * _HEADROOM
        kind = experiment.kind
        if self.log: self.log(now, "judged", experiment.limit, self._limit, fell, error, product)
        if product >= 0.85 * experiment.limit:
            self._normal[kind] = max(experiment.base.mean - _LITTLE, found.mean) + error
            self._set(limit, now)
            self._next_slow = self._round + self._pause
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            self._check_every = min(_RAREST_CHECK, self._check_every * 2)
            self._next_check = self._round + self._check_every
        else:
            self._normal[kind] = found.mean
            self._set(max(self._limit, product), now)
            self._stop_growing()
            self._pause = _FIRST_PAUSE
            self._check_every = _SOON
            self._next_check = self._round + 2
