"""Private: the latencies of one kind of request, by the mean of their logarithms. Pure arithmetic.

If a service becomes n times as slow, that mean moves by log(n), and a few very slow answers hardly
move it. Neither is true of an arithmetic mean.
"""

import math
import operator
from collections.abc import Sequence


class Latencies:
    """A sample of latencies, reduced to what a comparison needs.

    Attributes:
        count: how many there are.
        seconds: their sum: how busy this kind of request kept the service.
        mean: of the logarithms; 0.0 for no latency.
        variance: of that mean: the square of its standard error.
        error: the standard error of the mean.

    """

    __slots__ = ("_squares", "_total", "count", "error", "mean", "seconds", "variance")

    def __init__(self, latencies: Sequence[float] = ()) -> None:
        """Take a sample, in seconds, each more than 0."""
        logs = list(map(math.log, latencies))
        self._set(len(logs), sum(latencies), sum(logs), sum(map(operator.mul, logs, logs)))

    def __add__(self, other: "Latencies") -> "Latencies":
        """Return both samples as one."""
        both = Latencies()
        both._set(
            self.count + other.count,
            self.seconds + other.seconds,
            self._total + other._total,
            self._squares + other._squares,
        )
        return both

    def _set(self, count: int, seconds: float, total: float, squares: float) -> None:
        self.count, self.seconds, self._total, self._squares = count, seconds, total, squares
        self.mean = total / count if count else 0.0
        self.variance = max(0.0, squares / count - self.mean**2) / count if count else 0.0
        self.error = math.sqrt(self.variance)
