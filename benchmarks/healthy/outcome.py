"""The outcome of a run against a healthy service."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, Self, TypeAlias

import attrs

from benchmarks.suite import Figures
from benchmarks.terms import IN_FLIGHT

FIXED: Final = f"fixed {IN_FLIGHT}"
"""The name of the other contestant, in tables and figures."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of one run, or of the typical one of several.

    Attributes:
        seconds: until the last outcome.
        ended: seconds until the run had ended: after doubts it looks for late commits, for which it
            waits up to a second.
        posts: requests to create, per creation.
        limited: requests that got a 429.
        failed: reported as not created.
        twice: stored twice or more.

    """

    seconds: float
    ended: float
    posts: float
    limited: int = 0
    failed: int = 0
    twice: int = 0

    @classmethod
    def typical(cls, outcomes: Sequence[Self]) -> Self:
        """Return the median of each number; the maximum of those that should be 0."""
        return cls(
            seconds=median(outcome.seconds for outcome in outcomes),
            ended=median(outcome.ended for outcome in outcomes),
            posts=median(outcome.posts for outcome in outcomes),
            limited=round(median(outcome.limited for outcome in outcomes)),
            failed=max(outcome.failed for outcome in outcomes),
            twice=max(outcome.twice for outcome in outcomes),
        )


Outcomes: TypeAlias = Mapping[str, Sequence[Outcome]]
"""The outcomes of each contestant."""


def plain(found: Mapping[str, Outcomes]) -> Figures:
    """Return outcomes as figures."""
    return {
        scene: {
            name: [attrs.asdict(outcome) for outcome in runs] for name, runs in outcomes.items()
        }
        for scene, outcomes in found.items()
    }


def read(figures: Figures) -> Mapping[str, Outcomes]:
    """Return the outcomes of figures."""
    return {
        scene: {name: [Outcome(**run) for run in runs] for name, runs in outcomes.items()}
        for scene, outcomes in figures.items()
    }
