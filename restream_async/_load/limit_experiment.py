"""Private: experiments with half of the adaptive limit, and when the next one may begin.

The idea of comparing with a shorter queue is that of TCP BBR and of Envoy's and Netflix's adaptive
concurrency. Unlike these, nothing is lowered before there is a reason, as in botocore's adaptive
mode, which limits nothing before the first refusal.

The comments of constants say what other values did: see `adaptive_limit`.
"""

import math
from typing import Final

import attrs

from restream_async._load.latencies import Latencies
from restream_async._load.limit_growth import LITTLE_SLOWER

# A fall of the mean logarithm of latencies by which half of the limit is as good as the whole: it
# is log(2) if the requests only waited for each other. 0.35: a halved capacity costs 2 % more.
_QUEUED: Final = 0.5
# The standard error at which a difference of latencies is believed, or as many latencies as that.
# Half: heavy tails cost 6 % instead of 4. Twice: a queue with random latencies costs 10 % more.
_PRECISION: Final = 0.15
_MOST_LATENCIES: Final = 64
# Two rounds in a row that are slower than normal by this factor are a reason for an experiment.
# log(1.22): heavy tails cost 6 %, a halved capacity 6 %. log(2.25): slower services cost nothing,
# but a queue of less is never found.
_SLOWER: Final = math.log(1.5)
# Seconds (logarithm). Quicker answers are no reason: a shorter queue would gain nothing.
_QUICK: Final = math.log(0.02)
# An experiment halves the limit; below this one it could not show much.
_LEAST_LIMIT: Final = 4
# Rounds between two experiments that changed nothing, at first and in the end. Half: a slow drift
# costs 10 % at worst instead of 7.
_PAUSE: Final = 12
_LONGEST_PAUSE: Final = 96
# Rounds until the next experiment after one that helped; twice as many after each that did not.
_SOON: Final = 8
_RAREST: Final = 1024


@attrs.define(kw_only=True)
class LimitExperiment:
    """Half of the limit, for about one round of answers.

    Attributes:
        limit: the whole limit.
        kind: of the requests whose latencies are compared.
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
        """Whether there are enough answers for a decision."""
        most = max(_MOST_LATENCIES, 2 * self.limit)
        return self.error <= _PRECISION or self.found.count >= most

    @property
    def helped(self) -> bool:
        """Whether half of the limit is as good as the whole."""
        return self.base.mean - self.found.mean - 2 * self.error > _QUEUED

    @property
    def better_limit(self) -> float:
        """The limit to go on with."""
        return self.limit / 2 if self.helped else self.limit

    @property
    def normal(self) -> float:
        """The mean logarithm of latencies that is normal from now on."""
        found = self.found.mean
        return found if self.helped else max(self.base.mean - LITTLE_SLOWER, found) + self.error


class ExperimentSchedule:
    """When an experiment may begin.

    Attributes:
        rounds: how many rounds of answers there were.

    """

    def __init__(self) -> None:
        """Begin with no round."""
        self.rounds = 0
        self._slow_rounds = 0
        # The rounds from which an experiment may begin because of latency, and without a reason.
        self._next_if_slow = 0
        self._next_check = math.inf
        self._pause = _PAUSE
        self._check_every = _SOON

    @property
    def is_slow(self) -> bool:
        """Whether slow rounds in a row are a reason for an experiment now."""
        return self._slow_rounds > 1 and self.rounds >= self._next_if_slow

    def is_due(self, limit: float) -> bool:
        """Return whether an experiment may begin, with or without a reason."""
        return limit >= _LEAST_LIMIT and (self.is_slow or self.rounds >= self._next_check)

    def note_latencies(self, latencies: Latencies, normal: float) -> None:
        """Note the latencies of a round.

        Args:
            latencies: what they were.
            normal: the usual mean of their logarithms.

        """
        mean = latencies.mean
        slow = mean - normal > _SLOWER + 2 * latencies.error and mean > _QUICK
        self._slow_rounds = self._slow_rounds + 1 if slow else 0

    def end_slow_rounds(self) -> None:
        """Note that slow rounds before now are no reason for an experiment."""
        self._slow_rounds = 0

    def check_next_round(self) -> None:
        """Let an experiment begin after the next round."""
        self._next_check = self.rounds + 1

    def note_result(self, *, helped: bool) -> None:
        """Note whether an experiment has lowered the limit."""
        if helped:
            self._pause, self._check_every = _PAUSE, _SOON
            self._next_check = self.rounds + 2
            return
        self._next_if_slow = self.rounds + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._next_check += self._check_every
        self._check_every = min(_RAREST, 2 * self._check_every)
