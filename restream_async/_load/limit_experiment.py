"""Private: experiments with half of the adaptive limit, and when the next one may begin.

The comments of constants say what other values did: see `adaptive_limit`.
"""

import math
from typing import Final

import attrs

from restream_async._load.latencies import Latencies

# A fall of the mean logarithm of latencies by which half of the limit is as good as the whole: it
# is log(2) if the requests only waited for each other. 0.35: a halved capacity costs 2 % more.
_QUEUED: Final = 0.5
# The standard error at which a difference of latencies is believed, or as many latencies as that.
# Half: heavy tails cost 6 % instead of 4. Twice: a queue with random latencies costs 10 % more.
_PRECISION: Final = 0.15
_MOST_LATENCIES: Final = 64
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

    @property
    def is_check_due(self) -> bool:
        """Whether an experiment may begin without a reason."""
        return self.rounds >= self._next_check

    def note_round(self, *, slow: bool) -> None:
        """Note whether a round was slow."""
        self._slow_rounds = self._slow_rounds + 1 if slow else 0

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
