"""Private: answers that take seconds: they count as queueing. Pure arithmetic.

A client that joins many others cannot know how quick the service is without them. So where answers
take seconds it tries a few requests at a time. If these take as long, the service is that slow, and
the limit returns.

The comments of constants say what other values did: see `adaptive_limit`.
"""

import math
from typing import Final

from restream_async._load.latencies import Latencies

# Seconds from which answers count as queueing, and the number of requests in flight at which they
# count as the usual latency.
# Half: in a fleet that queues a few take as long, so latency is 9 times the idle one. Twice: 4.0,
# now 3.1.
_LONGEST: Final = 2.0
_FEW: Final = 8


class LongAnswers:
    """Says which limit suits answers that take seconds.

    Attributes:
        seconds: from which answers count as queueing.

    """

    def __init__(self) -> None:
        """Begin with no such answers."""
        self.seconds = _LONGEST
        # The limit before such answers.
        self._limit_before = 0.0

    def other_limit(self, limit: float, latencies: Latencies) -> float | None:
        """Return a lower limit, or the old one if a few requests take as long.

        Args:
            limit: the limit now.
            latencies: of answers at that limit.

        Returns:
            None if the limit stays: the answers are quick enough, or the limit cannot fall.

        """
        seconds = math.exp(latencies.mean)
        if seconds <= self.seconds * math.exp(2 * latencies.error) or limit <= 1.0:
            return None
        self._limit_before = max(self._limit_before, limit)
        if limit > _FEW:
            return max(float(_FEW), limit * self.seconds / (_LONGEST * seconds))
        self.seconds = _LONGEST * seconds
        before, self._limit_before = self._limit_before, 0.0
        return before
