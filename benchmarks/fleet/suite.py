"""Whether many clients share a service well that none of them knows the size of."""

from typing import Final

from benchmarks import names
from benchmarks.fleet import plot, results
from benchmarks.fleet.scenes import QUEUES, SHEDS, SUITE_SCENES, TOGETHER_SMALL
from benchmarks.fleet.simulation import simulate
from benchmarks.suite import Figures, Suite

SEED: Final = 1
"""Of all that is random."""
_QUICK: Final = (TOGETHER_SMALL, SHEDS, QUEUES)


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Simulate them."""
    scenes = _QUICK if quick else SUITE_SCENES
    return {"scenes": {scene.name: simulate(scene, SEED) for scene in scenes}}


SUITE: Final = Suite(
    name="fleet",
    packages=(names.OURS,),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
