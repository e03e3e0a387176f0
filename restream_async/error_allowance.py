"""Tells errors caused by load from errors that a service always has. Pure arithmetic.

Every service has some errors that have nothing to do with load. A token bucket forgives a share of
them. If one instance of several is broken, the share is larger than that, and the limit falls. But
then **fewer requests do not lead to a smaller share of errors**. If a service has no room, they do:
a service that is overloaded by less than half has no errors left at half of the limit. So the share
at half of the limit or less is compared with the share before. If it is at least half of that, it
is the service's own. It is forgiven from then on, and the whole limit comes back.
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
"""A row of errors that is less probable than this is load. With the least share: 4 errors."""
_AFTER_GROWTH: Final = 0.03
"""If at most this share of the answers after a growth are errors, the growth stays. A learned share
replaces it."""
_SAME: Final = 0.5
"""A share at half of the limit is the same if it is at least this part of the share before. Checks
count as answers, and there are more of them after errors, so shares seem smaller then. 0.7: a
service with 30 % of errors is not noticed."""
_LARGEST_SHARE: Final = 0.33
"""The largest share that is believed to be the service's own. If a service has room for a part c of
the limit and no errors of its own, the share is 1 - c, and 1 - 2c at half of the limit. By the rule
above the latter is the same only if c is less than 1/3, and then it is larger than this."""
_MARGIN: Final = 1.25
"""Forgive this many times the measured share, because shares vary."""
_ENOUGH: Final = 64
"""Answers by which a share is measured."""
_LONG: Final = 4 * _ENOUGH
"""Answers after which older ones count half. If so many answers at a quarter of the limit or less
have a share that is larger than the least and no larger than the largest, it is the service's own,
whatever the share was before: all requests fail in an outage."""
_LEAST_LIMIT: Final = 4.0
"""Smaller limits are not compared: half of them would show nothing."""


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
        if self.answers >= 2 * _LONG:
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

    def __init__(self) -> None:
        """Begin with the least share."""
        self._share: float = _SHARE
        self._left = _MOST_SAVED
        self._answers = 0
        self._in_a_row = 0
        # The highest limit since errors began, and the errors from then on, and since half of it.
        self._whole: float = 0.0
        self._at_whole = _Count()
        self._half: _Count | None = None

    @property
    def is_short(self) -> bool:
        """Whether less than half of the allowance is left."""
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
        self._left = min(_MOST_SAVED, self._left + self._share * new)
        if _SHARE * new >= 2 * _MOST_SAVED:
            # So many answers without an error: the service has recovered.
            self._share = _SHARE
            self.forget()
        return self._compare(answers, limit, started, now)

    def forgives(self) -> bool:
        """Say whether the latest error has nothing to do with load, and use some allowance up."""
        # Many errors without a good answer in between are load.
        if self._left < 1.0 or self._share**self._in_a_row < _CHANCE:
            return False
        self._left -= 1.0
        return True

    def forget(self) -> None:
        """Begin to compare anew, as something else than errors has changed the limit."""
        self._whole, self._at_whole, self._half = 0.0, _Count(), None

    def _compare(self, answers: int, limit: float, started: float, now: float) -> float | None:
        if limit > self._whole:
            if limit < _LEAST_LIMIT:
                return None
            self.forget()
            self._whole = limit
        whole, at_whole = self._whole, self._at_whole
        if limit > whole / 2:
            self._half = None
        half = self._half
        if half is None:
            at_whole.add(answers, started)
            if limit <= whole / 2 and at_whole.answers >= _ENOUGH:
                self._half = _Count(began=now)
            return None
        half.add(answers, started)
        share = half.share
        same = half.answers >= _ENOUGH and share >= _SAME * at_whole.share
        lasts = half.answers >= _LONG and share > _SHARE and limit <= whole / 4
        if not (same or lasts) or share > _LARGEST_SHARE:
            return None
        self._share = max(_SHARE, min(_LARGEST_SHARE, _MARGIN * share))
        self._left = _MOST_SAVED
        self.forget()
        return whole if same else None
