"""The latencies of one kind of request, by the mean of their logarithms. Pure arithmetic.

A service that is n times as slow moves that mean by log(n), however its latencies vary, and a few
answers that take very long hardly move it: both are what an arithmetic mean cannot do.
"""

import math
import operator
from collections.abc import Sequence


class Latencies:
    """A sample of latencies, as far as comparing it with another one needs it.

    Attributes:
        count: how many there are.
        seconds: all of them together: how busy this kind of request has kept the service.

    """

    __slots__ = ("_squares", "_total", "count", "seconds")

    def __init__(self, latencies: Sequence[float] = ()) -> None:
        """Take a sample, in seconds, each more than 0."""
        logs = list(map(math.log, latencies))
        self.count = len(logs)
        self.seconds = sum(latencies)
        self._total = sum(logs)
        self._squares = sum(map(operator.mul, logs, logs))

    def __add__(self, other: "Latencies") -> "Latencies":
        """Return both samples as one."""
        both = Latencies()
        both.count = self.count + other.count
        both.seconds = self.seconds + other.seconds
        both._total = self._total + other._total  # noqa: SLF001 - of another one of this class
        both._squares = self._squares + other._squares  # noqa: SLF001 - as above
        return both

    @property
    def mean(self) -> float:
        """The mean of the logarithms. There must be a latency."""
        return self._total / self.count

    @property
    def variance(self) -> float:
        """Of the mean: the square of its standard error."""
        return max(0.0, self._squares / self.count - self.mean**2) / self.count

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.variance)
