"""What came of the scenes, as tables, and beside their targets."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

import attrs

from benchmarks import names
from benchmarks.healthy.outcome import FIXED, Outcome, Outcomes
from benchmarks.healthy.scenes import ALL, RateScene, Scene
from benchmarks.tables import table
from benchmarks.targets import at_most

_MOST_FAILED: Final = 0
_NOTHING: Final = 0.005
"""Seconds that no table shows."""
LEGEND: Final = f"""\
Seconds: until the last outcome. {FIXED}: as many requests in flight all the time; in real time a
plain aiohttp loop, in simulated time the same client with a limit that never changes. Times: ours,
as a multiple of {FIXED}. "With the final check": until the run had ended, which after doubts looks
for late commits. All are medians of the runs; failed and twice are the most of any run."""
RATE_LEGEND: Final = """\
Times the ideal: ours, for each that was created, as a multiple of what the limit allows on paper.
Later posts: requests to create after the first 64, which may all be on their way before the first
429 arrives, for each creation that the burst did not take."""


@attrs.frozen(kw_only=True)
class Result:
    """What came of one scene.

    Attributes:
        scene: which.
        count: how many were to be created.
        ours: the typical outcome.
        fixed: the typical outcome of a fixed 64; None where the ideal is known.

    """

    scene: Scene
    count: int
    ours: Outcome
    fixed: Outcome | None

    @classmethod
    def of(cls, scene: Scene, outcomes: Outcomes, count: int) -> Self:
        """Return it."""
        typical = {name: Outcome.typical(found) for name, found in outcomes.items()}
        return cls(scene=scene, count=count, ours=typical[names.OURS], fixed=typical.get(FIXED))

    @property
    def times(self) -> float:
        """Seconds of ours, as a multiple of those of a fixed 64, or of the ideal."""
        if isinstance(self.scene, RateScene):
            created = max(1 + self.scene.burst, self.count - self.ours.failed)
            return self.ours.seconds / self.scene.ideal_of(created)
        if self.fixed is None:
            raise AssertionError("without a rate limit there is one to compare with")
        return self.ours.seconds / self.fixed.seconds


def simulated(found: Mapping[str, Outcomes]) -> Sequence[Result]:
    """Return what came of each scene in simulated time."""
    return [
        Result.of(scene, found[scene.name], scene.count) for scene in ALL if scene.name in found
    ]


def simulated_text(found: Mapping[str, Outcomes]) -> str:
    """Return tables of what came of scenes in simulated time."""
    return _text(simulated(found))


def _text(results: Sequence[Result]) -> str:
    compared = [result for result in results if result.fixed is not None]
    rated = [result for result in results if result.fixed is None]
    parts: list[str] = []
    if compared:
        parts += [_compared(compared), LEGEND]
    if rated:
        parts += [_rated(rated), RATE_LEGEND]
    return "\n\n".join(parts)


def _compared(results: Sequence[Result]) -> str:
    heads = (
        "", FIXED, "ours", "times", "target", "with the final check", FIXED, "posts each",
        "failed", "twice",
    )  # fmt: skip
    rows: list[list[str]] = []
    for result in results:
        ours, fixed = result.ours, result.fixed
        if fixed is None:
            continue
        differs = ours.ended - ours.seconds > _NOTHING
        rows.append([
            result.scene.title,
            f"{fixed.seconds:.2f}",
            f"{ours.seconds:.2f}",
            at_most(result.scene.most, result.times, ".3f"),
            f"{result.scene.most:.2f}",
            f"{ours.ended:.2f}" if differs else "",
            f"{fixed.ended:.2f}" if differs else "",
            f"{ours.posts:.3f}",
            f"{ours.failed}",
            f"{ours.twice}",
        ])  # fmt: skip
    return table(heads, rows)


def _rated(results: Sequence[Result]) -> str:
    heads = (
        "", "creations", "ideal", "ours", "times the ideal", "posts each", "later posts", "target",
        "429s", "failed", "twice",
    )  # fmt: skip
    rows: list[list[str]] = []
    for result in results:
        scene, ours = result.scene, result.ours
        if not isinstance(scene, RateScene):
            continue
        rows.append([
            scene.title,
            f"{result.count:,}",
            f"{scene.ideal_of(result.count):.1f}",
            f"{ours.seconds:.1f}",
            at_most(scene.most, result.times, ".3f"),
            f"{ours.posts:.3f}",
            f"{scene.later_posts(ours.posts, result.count):.3f}",
            f"{scene.most_posts:.1f}",
            f"{ours.limited:,}",
            at_most(_MOST_FAILED, ours.failed, ",.0f"),
            f"{ours.twice}",
        ])  # fmt: skip
    return table(heads, rows)
