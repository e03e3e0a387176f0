"""Which errors say that a service has no room, and which it has anyway. Pure arithmetic.

Every service has some errors that have nothing to do with load. A token bucket forgives a share of
them. If one instance of several is broken, the share is larger than that, and the limit falls. But
then **fewer requests do not lead to a smaller share of errors**, as they do where a service has no
room: with half of the limit, a service that was overloaded by less than half has no errors left. So
a share that stays the same is the service's own. It is forgiven from then on, and the whole limit
comes back.
"""

import math
from typing import Final

import attrs

_SHARE: Final = 0.15
"""The share of errors that is always forgiven. 0.06: 10 % random errors are taken for load. 0.25: a
fleet is less fair (0.51 instead of 0.71)."""
_MOST_SAVED: Final = 8.0
"""How many errors are forgiven at once, after a while without any."""
_CHANCE: Final = 0.001
"""A row of errors that is less probable than this is load. With the least share: 4 errors."""
_AFTER_GROWTH: Final = 0.03
"""The share of errors after a growth that does not take it back, unless more are known to be the
service's own."""
_SAME: Final = 0.5
"""Times the share at the whole limit from which on a share is the same. Some of the answers are
those of checks, which there are more of after errors, so shares seem smaller then. 0.7: a service
with 30 % of errors is not noticed."""
_LARGEST_SHARE: Final = 0.33
"""The largest share that is believed to be the service's own. If a service has room for a share c
of the limit, the share of errors is 1 - c, and 1 - 2c at half of the limit. The latter is the same
by the rule above only if c is less than 1/3, and then it is larger than this."""
_MARGIN: Final = 1.25
"""Times the share found that is forgiven, as shares vary."""
_ENOUGH: Final = 64
"""Answers by which a share is judged."""
_LEAST_LIMIT: Final = 16.0
"""The least limit of which half is compared: fewer requests are a small part of the load."""


@attrs.define(kw_only=True)
class _Count:
    """How many of the answers are errors, from the first error to the latest one.

    Attributes:
        began: errors of requests that were sent until then are not counted.
        first: how many answers there were at the first error.
        latest: at the latest one.
        errors: after the first.

    """

    began: float = -math.inf
    first: int | None = None
    latest: int = 0
    errors: int = 0

    def add(self, answers: int, started: float) -> None:
        if started <= self.began:
            return
        self.latest = answers
        if self.first is None:
            self.first = answers
        else:
            self.errors += 1

    @property
    def answers(self) -> int:
        return 0 if self.first is None else self.latest - self.first

    @property
    def share(self) -> float:
        return self.errors / max(1, self.answers)


class ErrorAllowance:
    """The share of errors that do not lower the limit."""

    def __init__(self) -> None:
        """Begin with the least share."""
        self._share: float = _SHARE
        self._left = _MOST_SAVED
        self._answers = 0
        self._in_a_row = 0
        # The limit at the first error, if it is worth comparing, and errors from then on and since
        # it has been halved.
        self._whole: float = 0.0
        self._at_whole = _Count()
        self._half: _Count | None = None

    @property
    def is_short(self) -> bool:
        """Whether more than half of what may be saved is used up."""
        return self._left < _MOST_SAVED / 2

    @property
    def after_growth(self) -> float:
        """The share of errors that there may be after a growth of the limit."""
        return self._share if self._share > _SHARE else _AFTER_GROWTH

    def add(self, answers: int, limit: float, started: float, now: float) -> float | None:
        """Note an error; return the limit to go back to, if less of it did not help.

        Args:
            answers: how many there have been, good and bad.
            limit: of requests in flight.
            started: when the request was sent.
            now: when its answer came.

        """
        new = answers - self._answers
        self._answers = answers
        self._in_a_row = 1 if new > 1 else self._in_a_row + 1
        left = self._left + self._share * new
        if left >= 2 * _MOST_SAVED:
            # So many answers without an error: the service has recovered.
            self._share = _SHARE
            self._forget()
        self._left = min(_MOST_SAVED, left)
        return self._compare(answers, limit, started, now)

    def forgives(self) -> bool:
        """Say whether the latest error has nothing to do with load, and use some allowance up."""
        # Many errors without a good answer in between are load.
        if self._left < 1.0 or self._share**self._in_a_row < _CHANCE:
            return False
        self._left -= 1.0
        return True

    def _compare(self, answers: int, limit: float, started: float, now: float) -> float | None:
        half = self._half
        if half is not None:
            half.add(answers, started)
            same = _SAME * self._at_whole.share <= half.share <= _LARGEST_SHARE
            if half.answers < _ENOUGH or not same:
                return None
            self._share = max(self._share, min(_LARGEST_SHARE, _MARGIN * half.share))
            self._left = _MOST_SAVED
            whole = self._whole
            self._forget()
            return whole
        if not self._whole and limit >= _LEAST_LIMIT:
            self._whole = limit
        if self._whole:
            self._at_whole.add(answers, started)
            if limit <= self._whole / 2:
                self._half = _Count(began=now)
        return None

    def _forget(self) -> None:
        self._whole, self._at_whole, self._half = 0.0, _Count(), None
