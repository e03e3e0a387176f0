"""Private: when the adaptive limit grows, and by how much. Pure arithmetic.

The limit grows by one slot at a time. It waits longer after each refusal, and grows faster after
several growths without one. A larger growth has to show that it helps before the next one follows.
"""

import math
from typing import Final

from restream_async._load.latencies import Latencies

# Rounds between two growths, at most. Half: a service for 2 requests gets 7 % more POSTs. Twice:
# 2 % fewer.
_LONGEST_WAIT: Final = 16
# Growths in a row without a refusal, after which steps double, up to a share of the limit.
_CONFIRMED: Final = 4
_STRIDE: Final = 0.25
LITTLE_SLOWER: Final = math.log(1.25)
"""A latency above normal up to which the limit may grow; a growth that could cause no more is not
judged. log(1.57): a halved capacity costs 10 %."""
LEAST_ROUND: Final = 8
"""A round has as many answers as the limit, and no fewer than this."""


class LimitGrowth:
    """The growth of one limit.

    Attributes:
        goal: a limit that was in use before. Up to it the limit grows in leaps.
        clean_since: the number of the answer since which nothing was refused.
        allowed: whether latency permits growth.

    """

    def __init__(self) -> None:
        """Begin with a limit that was never refused."""
        self.goal: float = math.inf
        self.clean_since = 0
        self.allowed = True
        self._wait = 1
        self._step = math.inf
        self._confirmed = _CONFIRMED
        # Whether the latest growth may still be refused, and the errors since.
        self._grew = False
        self._grown_at = self._errors = 0
        # The limit and the mean latency before growths that are not judged yet.
        self._grown_from: tuple[float, float] | None = None

    def restart(self, limit: float, answers: int) -> None:
        """Go back to a limit in leaps, after so many answers."""
        # If an earlier outage has not been recovered from, the limit before that one is the goal.
        goal = limit if self.goal == math.inf else max(limit, self.goal)
        self.stop(answers)
        self.goal, self._step, self._confirmed, self._wait = goal, math.inf, _CONFIRMED, 1
        self.allowed = True

    def stop(self, answers: int) -> None:
        """Begin with single slots again, after so many answers."""
        self._step, self.goal, self._confirmed = 1.0, 0.0, 0
        self._grew, self._grown_from = False, None
        self.clean_since = answers

    def wait_longer(self) -> None:
        """Double the wait before the next growth."""
        self._wait = min(_LONGEST_WAIT, self._wait * 2)

    def slow_down(self) -> None:
        """Grow by single slots, and judge no growth by its latencies."""
        self.allowed, self._grown_from = True, None
        self._step = min(self._step, 1.0)

    def is_due(self, limit: float, answers: int) -> bool:
        """Return whether so many answers are enough for the next growth."""
        return answers - self.clean_since >= limit * self._wait

    def step(self, limit: float, answers: int, full_at: int, last: Latencies | None) -> float:
        """Return by how much to grow, 0.0 for not at all.

        Args:
            limit: the limit now.
            answers: how many there have been.
            full_at: the number of the latest answer at which the limit was used up.
            last: the latencies of the last round, if they are known.

        """
        used = full_at > self.clean_since
        self.clean_since = answers
        # A leap is measured before the next one, unless it only goes back to an old limit.
        measured = last is not None or limit < self.goal
        unjudged = self._step > 1.0 and (self._grown_from is not None or not measured)
        if not used or not self.allowed or unjudged:
            return 0.0
        if self._grew:
            self._wait = max(1, self._wait // 2)
            self._confirmed += 1
            if self._confirmed > _CONFIRMED:
                self._step *= 2.0
        leap = min(limit, self.goal - limit)
        self._step = min(self._step, max(1.0, leap if limit < self.goal else _STRIDE * limit))
        if self._grown_from is None and last is not None:
            self._grown_from = (limit, last.mean)
        self._grew, self._grown_at, self._errors = True, answers, 0
        return self._step

    def is_refused(self, limit: float, answers: int, allowed_share: float) -> bool:
        """Note an error; return whether the round after a growth has too many.

        Args:
            limit: the limit now.
            answers: how many there have been.
            allowed_share: the share of errors that there may be.

        """
        if (
            not self._grew
            or limit < self.goal
            or answers - self._grown_at > max(LEAST_ROUND, limit)
        ):
            return False
        self._errors += 1
        return self._errors > allowed_share * limit

    def limit_before_useless_growth(self, limit: float, latencies: Latencies) -> float | None:
        """Return the limit before growths that have only made answers slower, if they have."""
        if self._grown_from is None:
            return None
        (before, mean), self._grown_from = self._grown_from, None
        growth = math.log(limit / before)
        if growth < LITTLE_SLOWER or latencies.mean - mean <= growth / 2 + 2 * latencies.error:
            return None
        return before
