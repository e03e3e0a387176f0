"""The latencies of one kind of request, by the mean of their logarithms. Pure arithmetic.

A service that is n times as slow moves that mean by log(n), however its latencies vary, and a few
answers that take very long hardly move it: both are what an arithmetic mean cannot do.
"""

import math
from typing import Final

_SHORTEST: Final = 1e-6
"""Seconds; what an answer takes at least, as the clock may not have moved."""


class Latencies:
    """Counts latencies, and keeps what their mean and its standard error need."""

    __slots__ = ("count", "seconds", "squares", "total")

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.seconds = 0.0
        """All of them together: how busy this kind of request has kept the service."""
        self.total = 0.0
        """Of the logarithms."""
        self.squares = 0.0
        """Of the logarithms, each squared."""

    def add(self, latency: float) -> None:
        """Add one, in seconds."""
        log = math.log(max(latency, _SHORTEST))
        self.count += 1
        self.seconds += latency
        self.total += log
        self.squares += log * log

    def merge(self, other: "Latencies") -> None:
        """Add all of another sample."""
        self.count += other.count
        self.seconds += other.seconds
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """The mean of the logarithms. There must be a latency."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Of the mean: the square of its standard error."""
        return max(0.0, self.squares / self.count - self.mean**2) / self.count

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return math.sqrt(self.variance)
