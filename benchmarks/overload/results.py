"""The outcomes of the scenes, as tables: of all contestants, and of ours beside its targets."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import attrs

from benchmarks import names
from benchmarks.overload.outcome import Outcome
from benchmarks.overload.scenes import ALL, Scene
from benchmarks.suite import Figures
from benchmarks.tables import table
from benchmarks.targets import at_least, at_most

KNOWING: Final = "told the capacity"

_HEADS: Final = ("", "seconds", "times the ideal", "posts each", "failed", "twice", "latency")
_MOST_FAILED: Final = 0
# If the service queues instead of shedding, only the latency shows that it is overloaded.
_MOST_LATENCY: Final = 3.0
_LEAST_USED: Final = 0.95
LEGEND: Final = f"""\
Seconds: until all was done. Times the ideal: the same for each that was created, as a multiple of
what the service needs on paper. Posts each: requests to create, per creation. Latency: of a good
answer, the median, as a multiple of that of an idle service. All are medians of the runs.
"{KNOWING}" is {names.TENACITY} with just as many in flight as keep the service busy: what this
machine allows on top of the ideal."""


@attrs.frozen(kw_only=True)
class Result:
    """The outcomes of one scene.

    Attributes:
        scene: which.
        outcomes: the typical outcome of each contestant.
        unloaded: seconds that an answer takes without load.

    """

    scene: Scene
    outcomes: Mapping[str, Outcome]
    unloaded: float

    def time_ratio(self, name: str) -> float:
        """Return the time for each that was created, as a multiple of the least."""
        outcome, scene = self.outcomes[name], self.scene
        return outcome.seconds / scene.ideal / max(1 - outcome.failed / scene.count, 0.001)

    def latency_ratio(self, name: str) -> float:
        """Return the latency, as a multiple of the unloaded one."""
        return self.outcomes[name].latency / self.unloaded


def read(figures: Figures) -> Sequence[Result]:
    """Return the result of each scene."""
    unloaded = median(figures["unloaded_seconds"])
    return [
        Result(
            scene=scene,
            outcomes={
                name: Outcome.typical([Outcome.read(item) for item in outcomes])
                for name, outcomes in figures["scenes"][scene.name]["outcomes"].items()
            },
            unloaded=unloaded,
        )
        for scene in ALL
        if scene.name in figures["scenes"]
    ]


def summary(figures: Figures) -> str:
    """Return a table of ours beside the targets."""
    rows = [_marked(result) for result in read(figures)]
    heads = (
        "",
        "time, times the ideal",
        "target",
        "posts each",
        "target",
        f"failed (target: {_MOST_FAILED})",
        f"capacity used (target: {_LEAST_USED:.0%})",
        f"latency, times idle (target: {_MOST_LATENCY:.0f})",
        f"time of {names.TENACITY}, {KNOWING}",
    )
    return table(heads, rows)


def _marked(result: Result) -> list[str]:
    ours, time_ratio = result.outcomes[names.OURS], result.time_ratio(names.OURS)
    scene = result.scene
    queues = scene.queues
    return [
        scene.title,
        f"{time_ratio:.3f}" if queues else at_most(scene.most_time, time_ratio, ".3f"),
        "" if queues else f"{scene.most_time}",
        at_most(scene.most_posts, ours.posts, ".3f"),
        f"{scene.most_posts}",
        at_most(_MOST_FAILED, ours.failed, ",.0f"),
        at_least(_LEAST_USED, 1 / time_ratio, ".1%") if queues else "",
        at_most(_MOST_LATENCY, result.latency_ratio(names.OURS), ".1f") if queues else "",
        f"{result.time_ratio(KNOWING):.3f}" if KNOWING in result.outcomes else "",
    ]


def text(figures: Figures) -> str:
    """Return a table of each scene."""
    parts: list[str] = []
    for result in read(figures):
        scene = result.scene
        rows = [
            [
                name,
                f"{outcome.seconds:.1f}",
                f"{result.time_ratio(name):.2f}",
                f"{outcome.posts:.3f}",
                f"{outcome.failed:,}",
                f"{outcome.twice:,}",
                f"{result.latency_ratio(name):.1f}",
            ]
            for name, outcome in result.outcomes.items()
        ]
        heading = (
            f"{scene.count:,} creations, {scene.terms.in_flight} in flight allowed: {scene.title}. "
            f"At best {scene.ideal:.1f} s."
        )
        parts.append(f"{heading}\n\n{table(_HEADS, rows)}")
    return "\n\n".join([*parts, LEGEND])
