"""Private: tells errors that load causes from errors that a service always has. Pure arithmetic.

Every service has some errors that have nothing to do with load. A token bucket forgives a share of
them. If one instance of several is broken, the share of errors is larger, and the limit falls. But
then **fewer requests do not lead to a smaller share of errors**. If a service is overloaded, they
do: a service that is overloaded by less than half has no errors left at half of the limit.

So two shares are compared: that before, and that at a half to a quarter of the limit, which does
not change meanwhile. If the second is at least half of the first, load is not the cause. Then such
a share is forgiven, and the highest limit comes back. A limit that has fallen further, as in a
burst of errors, says nothing about the capacity. So if the errors last, the highest limit is tried
from time to time, and the shares are compared in the same way.
"""

import math
from typing import Final

import attrs

_SHARE: Final = 0.15
"""The share of errors that is always forgiven. 0.06: 10 % random errors are taken for load. 0.25: a
fleet is less fair."""
_MOST_SAVED: Final = 8.0
"""How many errors are forgiven at once, after a while without any."""
_CHANCE: Final = 0.001
"""Errors in a row that are less probable than this are load. With the least share: 4 errors."""
_AFTER_GROWTH: Final = 0.03
"""If at most this share of the answers after a growth are errors, the growth stays. A learned share
replaces it."""
_SAME: Final = 0.5
"""A share at half of the limit is the same if it is at least this part of the share before. Checks
count as answers, and there are more of them after errors, so shares seem smaller then. 0.7: a
service with 30 % of errors is not noticed."""
_LARGEST_SHARE: Final = 0.33
"""The largest share that can be the service's own. If an overloaded service has room
for a part c of the limit, the share is 1 - c, and 1 - 2c at half of the limit. The second counts as
the same if 1 - 2c >= (1 - c) / 2, so if c <= 1/3. Then 1 - c >= 2/3, which is above this value."""
_MARGIN: Final = 1.25
"""Forgive this many times the measured share, because shares vary."""
_ENOUGH: Final = 64
"""Answers by which a share is measured."""
_LONG: Final = 4 * _ENOUGH
"""Answers after which older ones count half."""
_RARELY: Final = 512
"""Answers until the highest limit is tried again, at first; then twice as many, and so on. 256: a
fleet is less fair after an outage (0.6 instead of 0.9)."""
_PATIENT: Final = 4
"""How many errors beyond the largest share end a comparison."""
_LEAST_LIMIT: Final = 16.0
"""Smaller limits are not compared, unless they are the ceiling: other clients may be the load."""
_LEAST_CEILING: Final = 4.0
"""Half of a smaller ceiling would show nothing."""


@attrs.define(kw_only=True)
class _Count:
    """Counts how many answers are errors, from the first error to the latest one.

    Attributes:
        began: errors of requests that were sent until then are not counted.
        first: how many answers there were at the first error.
        latest: at the latest one.
        errors: after the first.

    """

    began: float = -math.inf
    first: float | None = None
    latest: float = 0.0
    errors: float = 0.0

    def add(self, answers: int, started: float) -> None:
        if started <= self.began:
            return
        self.latest = answers
        if self.first is None:
            self.first = answers
            return
        self.errors += 1.0
        if self.answers >= _LONG:
            self.first = self.latest - self.answers / 2
            self.errors /= 2

    @property
    def answers(self) -> float:
        return 0.0 if self.first is None else self.latest - self.first

    @property
    def share(self) -> float:
        return self.errors / max(1.0, self.answers)


class ErrorAllowance:
    """The share of errors that do not lower the limit."""

    def __init__(self, ceiling: float) -> None:
        """Begin with the least share; the limit never exceeds the ceiling."""
        self._least_limit = max(_LEAST_CEILING, min(_LEAST_LIMIT, ceiling))
        self._share: float = _SHARE
        self._left = _MOST_SAVED
        self._answers = 0
        self._in_a_row = 0
        # Shares are compared at two limits: the one now, and another one from then on.
        self._limit = self._other_limit = 0.0
        self._first = _Count()
        self._second: _Count | None = None
        # The highest limit since errors began; how many answers it takes until it is tried again,
        # and when it was tried.
        self._highest = 0.0
        self._wait, self._tried_at = _RARELY, 0

    @property
    def is_short(self) -> bool:
        """Whether less than half of the allowance is left."""
        return self._left < _MOST_SAVED / 2

    @property
    def after_growth(self) -> float:
        """The share of errors that there may be after a growth of the limit."""
        return self._share if self._share > _SHARE else _AFTER_GROWTH

    def add(self, answers: int, limit: float, started: float, now: float) -> float | None:
        """Note an error; return the limit to return to, if a lower one did not help.

        Args:
            answers: how many there have been, good and bad.
            limit: of requests in flight.
            started: when the request was sent.
            now: when its answer came.

        """
        new = answers - self._answers
        self._answers = answers
        self._in_a_row = 1 if new > 1 else self._in_a_row + 1
        self._left = min(_MOST_SAVED, self._left + self._share * new)
        if _SHARE * new >= 2 * _MOST_SAVED:
            # So many answers without an error: the service has recovered.
            self._share, self._highest, self._wait = _SHARE, 0.0, _RARELY
            self.forget()
        return self._compare(answers, limit, started, now)

    def forgives(self, started: float) -> bool:
        """Return whether the latest error has nothing to do with load, and use some allowance up.

        Args:
            started: when its request was sent.

        """
        second = self._second
        if second is not None and started > second.began:
            # The limit does not change until both shares are known.
            return second.errors <= _LARGEST_SHARE * second.answers + _PATIENT
        # Many errors without a good answer in between are load.
        if self._left < 1.0 or self._share**self._in_a_row < _CHANCE:
            return False
        self._left -= 1.0
        return True

    def forget(self) -> None:
        """Begin the comparison again, as something else than errors has changed the limit."""
        self._limit, self._first, self._second = 0.0, _Count(), None

    def _compare(self, answers: int, limit: float, started: float, now: float) -> float | None:
        self._highest = max(self._highest, limit)
        if self._second is not None:
            return self._judge(self._second, answers, limit, started)
        if limit > self._limit:
            self.forget()
            self._limit = limit
        first = self._first
        first.add(answers, started)
        other: float | None = None
        if self._limit >= self._least_limit:
            if limit > self._limit / 2:
                return None
            self._other_limit = limit
        elif (
            answers - self._tried_at >= self._wait
            and first.answers >= _ENOUGH
            and _SHARE < first.share <= _LARGEST_SHARE
        ):
            # The limit has fallen as far as it could, and errors last.
            self._wait, self._tried_at = 2 * self._wait, answers
            self._other_limit = other = self._highest
        else:
            return None
        self._second = _Count(began=now)
        return other

    def _judge(self, second: _Count, answers: int, limit: float, started: float) -> float | None:
        second.add(answers, started)
        moved = not self._other_limit / 2 <= limit <= self._other_limit
        if second.answers < _ENOUGH and not moved:
            return None
        first = self._first
        many, few = (first, second) if self._limit > self._other_limit else (second, first)
        same = few.share >= _SAME * many.share and min(few.answers, many.answers) >= _ENOUGH
        self.forget()
        if not same or max(few.share, second.share) > _LARGEST_SHARE:
            return None
        share = max(first.share, second.share)
        self._share = max(_SHARE, min(_LARGEST_SHARE, _MARGIN * share))
        self._left = _MOST_SAVED
        return self._highest
