"""Which errors of a service are not caused by load, and how many of them. Pure arithmetic.

A 503 may come from one broken node as well as from a service without room. Errors are forgiven up
to a share of the answers, the baseline, by a bucket of tokens: each good answer adds a share of a
token, and each error that is forgiven takes one.

Nothing is done for a good answer: how many there were is handed in with each error.
"""

from typing import Final

LOWEST: Final = 0.05
"""The baseline of a service that nothing is known about."""
_HIGHEST: Final = 0.15
"""No larger share is forgiven, whatever the reason: beyond it a fleet of clients would press on a
service that is full."""
_SURPLUS: Final = 1.5
"""The baseline, as a multiple of the share that was measured, as errors come in clusters."""
_SAVED: Final = 60.0
"""Good answers whose tokens are saved up."""


class ErrorBaseline:
    """Forgives errors, and counts them until the limiter has found out what they come from.

    Attributes:
        share: of the answers, errors that are forgiven.
        limit: the concurrency limit to go back to if the errors turn out not to be load.
        errors: counted.
        cuts: errors that lowered the limit.

    """

    __slots__ = ("_counted_from", "_filled_at", "_tokens", "cuts", "errors", "limit", "share")

    def __init__(self, limit: float) -> None:
        """Begin with the lowest baseline."""
        self._filled_at = 0
        self.learn(0.0)
        self.begin(limit, 0)

    @property
    def learned(self) -> bool:
        """Whether the service is known to have more errors than most."""
        return self.share > LOWEST

    def begin(self, limit: float, answers: int) -> None:
        """Count anew, from so many answers on."""
        self.limit = limit
        self.recount(answers)

    def recount(self, answers: int) -> None:
        """Count anew, and still go back to the same limit."""
        self._counted_from = answers
        self.errors = self.cuts = 0

    def counted(self, answers: int) -> int:
        """Return how many answers the errors are among."""
        return answers - self._counted_from

    def measured(self, answers: int) -> float:
        """Return the share of the answers that were errors. There must be an answer."""
        return self.errors / self.counted(answers)

    def forgives(self, answers: int) -> bool:
        """Say whether an error is forgiven, and note it."""
        earned = self.share * (answers - self._filled_at)
        self._tokens = min(self._most, self._tokens + earned)
        self._filled_at = answers
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def learn(self, share: float) -> None:
        """Forgive so large a share from now on, and a bit more."""
        self.share = max(LOWEST, min(_HIGHEST, share * _SURPLUS))
        self._tokens = self._most

    @property
    def _most(self) -> float:
        return 1.0 + _SAVED * self.share
