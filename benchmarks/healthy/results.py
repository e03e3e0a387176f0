"""What came of the scenes, as tables, and beside their targets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self, TypeAlias, TypeVar

import attrs

from benchmarks import names
from benchmarks.healthy import outcome
from benchmarks.healthy.outcome import FIXED, Outcome, Outcomes
from benchmarks.healthy.scenes import ALL, RateScene, Scene
from benchmarks.suite import Figures
from benchmarks.tables import table
from benchmarks.targets import at_most

_MOST_FAILED: Final = 0
_NOTHING: Final = 0.005
"""Seconds that no table shows."""
_LEGEND: Final = f"""\
Seconds until the last outcome. {FIXED}: as many requests in flight all the time; in real time a
plain aiohttp loop, in simulated time the same client with a limit that never changes. After errors
a run looks for late commits at its end, and waits up to a second for them: that is apart. All are
medians of the runs; failed are the most of any run."""
_RATE_LEGEND: Final = """\
Times the ideal: for each that was created, as a multiple of what the limit allows on paper. Later
posts: requests to create after the first 64, which may all be on their way before the first 429
arrives, for each creation that the burst did not take."""
_LEGENDS: Final = {False: _LEGEND, True: _RATE_LEGEND}


@attrs.frozen(kw_only=True)
class Result:
    """The outcomes of one scene, in real or in simulated time.

    Attributes:
        scene: which.
        ours: the typical outcome.
        fixed: the typical outcome of a fixed 64; None if the ideal is known.

    """

    scene: Scene
    ours: Outcome
    fixed: Outcome | None

    @classmethod
    def of(cls, scene: Scene, outcomes: Outcomes) -> Self:
        """Return the result."""
        typical = {name: Outcome.typical(found) for name, found in outcomes.items()}
        return cls(scene=scene, ours=typical[names.OURS], fixed=typical.get(FIXED))

    @property
    def base(self) -> float:
        """Seconds of a fixed 64; with a rate limit, what it allows for those that were created."""
        if isinstance(self.scene, RateScene):
            created = self.scene.count - self.ours.failed
            return self.scene.ideal_of(max(1 + self.scene.burst, created))
        if self.fixed is None:
            raise AssertionError("without a rate limit there is one to compare with")
        return self.fixed.seconds

    @property
    def times(self) -> float:
        """Seconds of ours, as a multiple of that."""
        return self.ours.seconds / self.base


@attrs.frozen(kw_only=True)
class Both:
    """What came of a scene in both kinds of time; at least one is there."""

    scene: Scene
    real: Result | None
    simulated: Result | None

    @property
    def shown(self) -> Result:
        """The real one, if there is one."""
        result = self.real or self.simulated
        if result is None:
            raise AssertionError("a scene is run in one kind of time at least")
        return result


_R = TypeVar("_R", Result, Both)
_Columns: TypeAlias = tuple[Sequence[str], Callable[[_R], list[str]]]


def read(figures: Figures) -> Sequence[Both]:
    """Return what came of each scene."""
    real, simulated = outcome.read(figures["real"]), outcome.read(figures["simulated"])
    return [
        Both(
            scene=scene,
            real=_result(scene, real.get(scene.name)),
            simulated=_result(scene, simulated.get(scene.name)),
        )
        for scene in ALL
        if scene.name in real or scene.name in simulated
    ]


def _result(scene: Scene, outcomes: Outcomes | None) -> Result | None:
    return None if outcomes is None else Result.of(scene, outcomes)


def summary(figures: Figures) -> str:
    """Return a table beside the targets, and one of rate limits."""
    heads = ("", f"{FIXED}, s", "ours, s", "times", "in simulated time", "target", "failed")
    rated_heads = (
        "", "creations", "ideal, s", "ours, s", "times", "in simulated time", "target",
        "posts each", "later posts", "in simulated time", "target", "failed",
    )  # fmt: skip
    return _tables(read(figures), (heads, _row), (rated_heads, _rated_row))


def text(figures: Figures) -> str:
    """Return the same, with all of simulated time, and what the columns mean."""
    simulated = simulated_text(outcome.read(figures["simulated"]))
    return "\n\n".join([summary(figures), "In simulated time:", simulated, legend(ALL)])


def legend(scenes: Sequence[Scene]) -> str:
    """Return what the columns mean."""
    kinds = {isinstance(scene, RateScene) for scene in scenes}
    return "\n\n".join(_LEGENDS[kind] for kind in sorted(kinds))


def simulated_text(found: Mapping[str, Outcomes]) -> str:
    """Return tables of what came of scenes in simulated time."""
    results = [Result.of(scene, found[scene.name]) for scene in ALL if scene.name in found]
    heads = (
        "", f"{FIXED}, s", "ours, s", "times", "target", "run ended, s", f"{FIXED}, s",
        "posts each", "failed", "twice",
    )  # fmt: skip
    rated_heads = (
        "", "creations", "ideal, s", "ours, s", "times", "posts each", "later posts", "target",
        "429s", "failed", "twice",
    )  # fmt: skip
    return _tables(results, (heads, _simulated_row), (rated_heads, _simulated_rated_row))


def _tables(results: Sequence[_R], compared: _Columns[_R], rated: _Columns[_R]) -> str:
    """Return a table of what is compared with a fixed 64, and one of what has a rate limit."""
    tables: list[str] = []
    for is_rated, (heads, row) in ((False, compared), (True, rated)):
        rows = [row(one) for one in results if isinstance(one.scene, RateScene) is is_rated]
        if rows:
            tables.append(table(heads, rows))
    return "\n\n".join(tables)


def _row(both: Both) -> list[str]:
    shown = both.shown
    return [
        both.scene.title,
        f"{shown.base:.2f}",
        f"{shown.ours.seconds:.2f}",
        _times(both.real),
        _times(both.simulated),
        f"{both.scene.most:.2f}",
        at_most(_MOST_FAILED, shown.ours.failed, ",.0f"),
    ]


def _rated_row(both: Both) -> list[str]:
    scene, shown = both.scene, both.shown
    return [
        scene.title,
        f"{scene.count:,}",
        f"{shown.base:.1f}",
        f"{shown.ours.seconds:.1f}",
        _times(both.real),
        _times(both.simulated),
        f"{scene.most:.2f}",
        f"{shown.ours.posts:.2f}",
        _later_posts(both.real),
        _later_posts(both.simulated),
        f"{_most_posts(scene):.2f}",
        at_most(_MOST_FAILED, shown.ours.failed, ",.0f"),
    ]


def _simulated_row(result: Result) -> list[str]:
    ours, fixed = result.ours, result.fixed
    apart = fixed is not None and ours.ended - ours.seconds > _NOTHING
    return [
        result.scene.title,
        f"{result.base:.2f}",
        f"{ours.seconds:.2f}",
        _times(result),
        f"{result.scene.most:.2f}",
        f"{ours.ended:.2f}" if apart else "",
        f"{fixed.ended:.2f}" if fixed and apart else "",
        f"{ours.posts:.3f}",
        at_most(_MOST_FAILED, ours.failed, ",.0f"),
        f"{ours.twice}",
    ]


def _simulated_rated_row(result: Result) -> list[str]:
    scene, ours = result.scene, result.ours
    return [
        scene.title,
        f"{scene.count:,}",
        f"{result.base:.1f}",
        f"{ours.seconds:.1f}",
        _times(result),
        f"{ours.posts:.3f}",
        _later_posts(result),
        f"{_most_posts(scene):.2f}",
        f"{ours.limited:,}",
        at_most(_MOST_FAILED, ours.failed, ",.0f"),
        f"{ours.twice}",
    ]


def _times(result: Result | None) -> str:
    return "" if result is None else at_most(result.scene.most, result.times, ".3f")


def _later_posts(result: Result | None) -> str:
    if result is None or not isinstance(result.scene, RateScene):
        return ""
    posts = result.scene.later_posts(result.ours.posts)
    return at_most(result.scene.most_posts, posts, ".3f")


def _most_posts(scene: Scene) -> float:
    if not isinstance(scene, RateScene):
        raise AssertionError("only a rate limit says how many")  # noqa: TRY004 - cannot happen
    return scene.most_posts
