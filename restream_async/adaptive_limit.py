"""scratch v2"""
import enum, math, os
from typing import Final

def E(name, default): return type(default)(os.environ.get(name, default))

START = 64
HEADROOM = 1.5
SLOWER = E("SLOWER", 1.5)
SLACK = 1.25
CROWDED = E("CROWDED", 6.5)
CROWDED_AIM = E("AIM", 3.5)
FIRST_CHECK = 64
FORGIVEN = E("FORGIVEN", 0.03)
MOST_FORGIVEN = 0.15
CAP = 60.0
ERRORS = E("ERRORS", 8)
STOOD = E("STOOD", 1.0)
YIELD = E("YIELD", .5)
WAIT = E("WAIT", 8)
ADD = E("ADD", 4)
ALLWAIT = E("ALLWAIT", 1)
SUSPICIOUS = E("SUSPICIOUS", 1.0)


class Signal(enum.Enum):
    GOOD = "good"
    SHED = "shed"
    LIMITED = "limited"


_SHED = Signal.SHED


class Window:
    __slots__ = ("n", "total", "squares", "seconds")

    def __init__(self):
        self.n = 0
        self.total = self.squares = self.seconds = 0.0

    def add(self, latency):
        log = math.log(latency) if latency > 1e-6 else -13.8
        self.n += 1
        self.total += log
        self.squares += log * log
        self.seconds += latency

    @property
    def mean(self):
        return self.total / self.n

    @property
    def variance(self):
        mean = self.total / self.n
        return max(0.0, self.squares / self.n - mean * mean) / self.n

    @property
    def error(self):
        return math.sqrt(self.variance)

    def merge(self, other):
        self.n += other.n
        self.total += other.total
        self.squares += other.squares
        self.seconds += other.seconds
        return self


class Baseline:
    """Which share of the answers is an error whatever the load."""

    def __init__(self):
        self.share = FORGIVEN
        self.credit = 1.0 + CAP * FORGIVEN
        self.begin(0.0)

    def begin(self, limit):
        self.limit = limit
        self.errors = self.answers = self.all_errors = 0

    @property
    def learned(self):
        return self.share > FORGIVEN

    def forgives(self):
        if self.credit >= 1.0:
            self.credit -= 1.0
            return True
        return False

    def learn(self, share):
        self.share = max(FORGIVEN, min(MOST_FORGIVEN, share * 1.5))
        self.credit = 1.0 + CAP * self.share


class AdaptiveLimit:
    log = None

    def __init__(self, ceiling, *, start=START):
        self._ceiling = float(ceiling)
        self._limit = min(float(start), self._ceiling)
        self._changed_at = self._cut_at = -math.inf
        self.baseline = Baseline()
        # growth
        self._used = False  # since the last growth
        self._calm = 0
        self._clean = 0  # answers since the last change
        self._wait = 1  # rounds
        self._step = math.inf
        self._goal = math.inf
        self._grew = False  # was the last change a growth that is not refused yet
        self._successes = ADD
        self._may_grow = True
        self._grown = None
        # latency
        self._windows = {}
        self._full = False
        self._mean = self._crowding = 0.0
        self._normal = {}
        self._floor = {}
        self._last = None
        self._slow = 0
        self._quiet = 0
        self._pause = 12
        self._check_in = self._check_wait = FIRST_CHECK
        self._trial = None
        self._quiet_errors, self._pause_errors = 0, 8
        self._storm = 0
        self._bearable, self._before_slow = math.log(E('SLOW', 2.0)), 0.0
        self._start = self._limit

    @property
    def _baseline(self):
        return self.baseline.share

    @property
    def value(self):
        return int(self._limit)

    @property
    def ceiling(self):
        return int(self._ceiling)

    def idle_latency(self, kind):
        floor = self._floor.get(kind)
        return None if floor is None else math.exp(floor)

    def record(self, signal, started, latency, in_flight, kind):
        limit = self._limit
        now = started + latency
        if in_flight > limit - 1.0:
            self._full = self._used = True
        if signal is _SHED:
            self._refused(started, now, in_flight)
            return limit != self._limit
        baseline = self.baseline
        baseline.answers += 1
        if baseline.credit < 1.0 + CAP * baseline.share:
            baseline.credit += baseline.share
        self._clean += 1
        self._calm += 1
        self._storm -= 1
        if self._clean >= limit * self._wait and limit < self._ceiling and self._clean > 1:
            self._grow(now)
        if kind and started >= self._changed_at:
            window = self._windows.get(kind)
            if window is None:
                window = self._windows[kind] = Window()
            window.add(latency)
            if window.n >= 8 and window.n >= int(limit):
                self._end_window(now)
        return limit != self._limit

    def _refused(self, started, now, in_flight):
        baseline = self.baseline
        stood = self._calm >= STOOD * self._limit
        self._calm = 0
        if not baseline.limit or baseline.answers > 1000:
            baseline.begin(self._limit)
        baseline.answers += 1
        baseline.all_errors += 1
        if self._trial is not None:
            if started >= self._changed_at:
                self._trial_errors += 1
            if self._trial_errors < 8:
                return
            # even more of them: no time for experiments
            self._trial = None
        if not (self._grew and not baseline.learned) and baseline.forgives():
            if not baseline.learned:
                self._clean = 0
            return
        baseline.errors += 1
        cut = 1.0
        if self._grew or ALLWAIT:
            self._more_wait()
        if not self._grew and stood and self._mean:
            cut = max(1.0, YIELD * self._limit)
        self._limit = max(1.0, self._limit - cut)
        self._grown = None
        self._clean = 0
        self._step, self._successes, self._grew = 1.0, 0, False
        if baseline.errors >= ERRORS:
            if baseline.errors > 0.25 * (baseline.answers + in_flight):
                baseline.begin(self._limit)
                self._storm = 1000
            elif (
                baseline.all_errors <= 0.13 * baseline.answers and
                baseline.answers >= 50 and self._storm <= 0
                and self._quiet_errors <= 0 and self._last is not None
                and self._crowding < math.log(1.35)
            ):
                self._begin_trial(now, self._last[0], self._last[1], baseline.all_errors / baseline.answers)

    def _begin_trial(self, now, kind, base, share=0.0):
        self._trial, self._trial_from = (self._limit, kind, base, None), self._limit
        self._trial_share, self._trial_errors, self._trial_answers = share, 0, 0
        if self.log: self.log(now, "trial", self._limit, math.exp(base.mean), self._slow, share)
        self._set(self._limit / 2, now)

    def _more_wait(self):
        self._wait = min(max(WAIT, int(self._limit)), self._wait * 2)

    def _grow(self, now):
        self._clean = 0
        used, self._used = self._used, False
        if not used or not self._may_grow or self._trial is not None:
            return
        if self._grown is not None and self._step > 1.0:
            return
        if self._grew:
            self._wait = max(1, self._wait // 2)
            self._successes += 1
            if self._successes > ADD:
                self._step *= 2
        before = self._limit
        step = min(self._step, before if before < self._goal else max(1.0, before * 0.25))
        self._step = min(self._step, max(step, 1.0)) if self._step < math.inf else self._step
        if self._grown is None:
            self._grown = (before, self._mean)
        self._grew = True
        if step > 1:
            self._set(before + step, now)
        else:
            self._limit = min(self._ceiling, before + step)

    def _set(self, limit, now):
        self._limit = max(1.0, min(self._ceiling, limit))
        self._changed_at = now
        self._windows = {}
        self._full = False
        self._clean = 0

    def _end_window(self, now):
        windows, self._windows = self._windows, {}
        full, self._full = self._full, False
        kind = max(windows, key=lambda k: windows[k].seconds)
        window = windows[kind]
        if window.n < 5:
            return
        for k, w in windows.items():
            if w.n >= 5:
                best = w.mean + 2 * w.error
                if k not in self._floor or best < self._floor[k]:
                    self._floor[k] = best
        if self._trial is not None:
            self._judge(kind, window, now)
            return
        last, self._last = self._last, (kind, window)
        mean, error = window.mean, window.error
        self._mean = mean
        normal = self._normal.get(kind)
        if normal is None:
            normal = self._normal[kind] = mean
        elif mean < normal:
            self._normal[kind] = (mean + normal) / 2 if mean + 2 * error > normal else mean
        over = mean - normal
        crowding = self._crowding = mean - self._floor[kind]
        if mean - 2 * error > self._bearable and self._limit > 1:
            if self.log: self.log(now, "slow", self._limit, math.exp(mean))
            if self._limit <= 8:
                # even few take as long
                self._bearable = mean + math.log(2)
                self._set(self._before_slow, now)
            else:
                self._before_slow = max(self._before_slow, self._limit)
                self._set(max(8.0, self._limit * math.exp(self._bearable - math.log(2) - mean)), now)
            self._step, self._grown, self._grew = 1.0, None, False
            self._normal.pop(kind, None)
            return
        if full and crowding > math.log(CROWDED) + 2 * error and self._limit > 1:
            if self.log: self.log(now, "crowded", self._limit, math.exp(crowding))
            self._set(self._limit * CROWDED_AIM / math.exp(crowding), now)
            self._step, self._grown, self._grew = 1.0, None, False
            self._normal.pop(kind, None)
            return
        self._may_grow = over < math.log(SLACK) + 2 * error
        if self._grown is not None:
            before, was = self._grown
            self._grown = None
            if self._limit >= 1.25 * before and mean - was > math.log(self._limit / before) / 2 + 2 * error:
                if self.log: self.log(now, "grown in vain", before, self._limit, mean - was)
                self._more_wait()
                self._step, self._check_in, self._grew, self._successes = 1.0, 1, False, 0
                self._set(before, now)
                return
        self._slow = self._slow + 1 if over > math.log(SLOWER) + 2 * error else 0
        self._check_in -= 1
        self._quiet -= 1
        self._quiet_errors -= 1
        if full and self._limit >= 4 and (
            (self._slow >= 2 and self._quiet <= 0) or self._check_in <= 0
        ):
            base = window
            if self._slow >= 2 and last is not None and last[0] == kind:
                base = window.merge(last[1])
            self._begin_trial(now, kind, base)

    def _judge(self, kind, window, now):
        before, k, base, sofar = self._trial
        if kind != k:
            self._trial = None
            self._set(before, now)
            return
        if sofar is not None:
            window.merge(sofar)
        fell = base.mean - window.mean
        error = math.sqrt(base.variance + window.variance)
        share, errors = self._trial_share, self._trial_errors
        expected = share * (window.n + errors)
        if (error > 0.15 and window.n < max(64, 2 * before)) or 0 < expected < 5:
            self._trial = (before, k, base, window)
            return
        self._trial = None
        wanted = before * math.exp(error - fell) * HEADROOM
        if self.log: self.log(now, "judged", before, self._limit, fell, error, wanted)
        self._slow = 0
        self._last = None
        baseline = self.baseline
        if share:
            if errors <= expected / 4:
                baseline.begin(self._limit)
                if baseline.learned:
                    baseline.learn(errors / (window.n + errors))
                if self.log: self.log(now, "load", before, self._limit, share)
                self._step, self._successes, self._grew = 1.0, 0, False
                self._set(self._limit, now)
                self._quiet_errors = self._pause_errors
                return
            both = baseline.all_errors / baseline.answers
            baseline.learn(both)
            if self.log: self.log(now, "not load", before, baseline.limit, share)
            before = baseline.limit
            self._wait, self._step, self._goal, self._successes = 1, 1.0, before, ADD
            self._quiet_errors = self._pause_errors = self._pause_errors * 2
            baseline.begin(0)
        if wanted >= 0.85 * self._trial_from:
            self._set(before, now)
            self._normal[kind] = max(base.mean - math.log(SLACK), window.mean)
            self._quiet = self._pause
            self._pause = min(96, self._pause * 2)
            self._check_wait = min(1024, self._check_wait * 2)
            self._check_in = self._check_wait
        else:
            self._set(max(self._limit, wanted), now)
            self._normal[kind] = window.mean
            self._pause = 12
            self._check_wait = 8
            self._check_in = 2
            self._step, self._successes, self._grew = 1.0, 0, False

    def restart(self):
        self._goal = max(1.0, self._limit)
        self._limit = 1.0
        self._windows = {}
        self._step, self._wait, self._clean, self._successes = math.inf, 1, 0, ADD
        self._grown, self._grew, self._may_grow = None, False, True
        self._trial = None
        self.baseline.begin(0)
