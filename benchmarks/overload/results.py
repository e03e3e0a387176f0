"""What came of the scenes, as tables."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import attrs

from benchmarks.contestants import OTHERS
from benchmarks.overload.outcome import Outcome
from benchmarks.overload.scenes import ALL, Scene
from benchmarks.suite import Figures
from benchmarks.tables import table

KNOWING: Final = "told the capacity"

_HEADS: Final = ("", "seconds", "to the ideal", "posts each", "failed", "twice", "latency")
LEGEND: Final = f"""\
Seconds: until all was done. To the ideal: the same for each that was created, as a multiple of what
the service needs on paper. Posts each: requests to create, per creation. Latency: of a good answer,
the median, as a multiple of that of an idle service. All are medians of the runs.
"{KNOWING}" is {OTHERS[0].name} with just as many in flight as keep the service busy: what this
machine allows on top of the ideal."""


@attrs.frozen(kw_only=True)
class Result:
    """What came of one scene.

    Attributes:
        scene: which.
        outcomes: the typical one of each contestant.
        unloaded: seconds that an answer takes without load.

    """

    scene: Scene
    outcomes: Mapping[str, Outcome]
    unloaded: float

    def slowness(self, name: str) -> float:
        """Return the time for each that was created, as a multiple of the least."""
        outcome, scene = self.outcomes[name], self.scene
        return outcome.seconds / scene.ideal / max(1 - outcome.failed / scene.count, 0.001)

    def crowding(self, name: str) -> float:
        """Return the latency, as a multiple of the unloaded one."""
        return self.outcomes[name].latency / self.unloaded


def read(figures: Figures) -> Sequence[Result]:
    """Return what came of each scene."""
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


def text(figures: Figures) -> str:
    """Return a table of each scene."""
    parts: list[str] = []
    for result in read(figures):
        scene = result.scene
        rows = [
            [
                name,
                f"{outcome.seconds:.1f}",
                f"{result.slowness(name):.2f}",
                f"{outcome.posts:.3f}",
                f"{outcome.failed:,}",
                f"{outcome.twice:,}",
                f"{result.crowding(name):.1f}",
            ]
            for name, outcome in result.outcomes.items()
        ]
        heading = (
            f"{scene.count:,} creations, {scene.terms.in_flight} in flight allowed: {scene.title}. "
            f"At best {scene.ideal:.1f} s."
        )
        parts.append(f"{heading}\n\n{table(_HEADS, rows)}")
    return "\n\n".join([*parts, LEGEND])
