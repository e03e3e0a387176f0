"""How long a service takes for a request: as the sandbox draws it, also in another process."""

import math
from collections.abc import Iterator
from random import Random

import attrs

from benchmarks.service import Change


@attrs.frozen
class Uniform:
    """Evenly spread, up to half the mean up and down.

    Attributes:
        mean: seconds.

    """

    mean: float

    def __call__(self, random: Random) -> float:
        """Draw seconds."""
        return self.mean * random.uniform(0.5, 1.5)


@attrs.frozen
class LogNormal:
    """Many short ones, and a long tail.

    Attributes:
        median: seconds.
        sigma: of their logarithm.

    """

    median: float
    sigma: float

    def __call__(self, random: Random) -> float:
        """Draw seconds."""
        return self.median * math.exp(random.gauss(0.0, self.sigma))


@attrs.frozen
class Tail:
    """Sometimes one that is much slower than the others.

    Attributes:
        usual: of the others.
        share: how many are slow.
        times: how many times as slow they are.

    """

    usual: Uniform
    share: float
    times: float

    def __call__(self, random: Random) -> float:
        """Draw seconds."""
        seconds = self.usual(random)
        return seconds * self.times if random.random() < self.share else seconds


def drift(mean: float, *, times: float, seconds: float, step: float = 0.1) -> Iterator[Change]:
    """Yield changes that make a service so many times as slow, a little every `step` seconds."""
    steps = round(seconds / step)
    for number in range(1, steps + 1):
        yield number * step, "latency", Uniform(mean * times ** (number / steps))
