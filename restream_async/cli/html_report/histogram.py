"""Private: a distribution of durations in little memory: counts on a logarithmic scale."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

# Seconds. Anything faster counts as this fast.
_SHORTEST: Final = 0.0001
# Each step is a quarter of a doubling: 19 % longer than the one before.
_STEPS: Final = 4


@attrs.frozen
class Bar:
    """How many durations lie between two bounds, in seconds."""

    start: float
    end: float
    count: int


class Histogram:
    """Counts durations, with bounds that grow by a fifth."""

    def __init__(self) -> None:
        """Begin empty."""
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self._counts[math.floor(math.log2(max(seconds, _SHORTEST)) * _STEPS)] += 1

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return self._counts.total()

    def bars(self) -> Sequence[Bar]:
        """Return the counts from the shortest to the longest duration, without gaps."""
        if not self._counts:
            return ()
        steps = range(min(self._counts), max(self._counts) + 1)
        return [Bar(_bound(step), _bound(step + 1), self._counts[step]) for step in steps]

    def quantile(self, share: float) -> float:
        """Return a duration that this share of all durations does not exceed.

        It is too long by at most a fifth. Without any duration it is not a number.
        """
        left = share * self.count
        for bar in self.bars():
            left -= bar.count
            if left <= 0:
                return bar.end
        return math.nan


def _bound(step: int) -> float:
    return float(2 ** (step / _STEPS))
