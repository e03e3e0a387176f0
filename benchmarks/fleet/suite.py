"""Whether many clients share a service well that none of them knows the size of."""

from typing import Final

import attrs

from benchmarks import names
from benchmarks.fleet import plot, results
from benchmarks.fleet.scenes import OF_SUITE, TOGETHER, TOGETHER_SMALL, Scene
from benchmarks.fleet.simulation import simulate_all
from benchmarks.suite import Figures, Suite


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Simulate them."""
    scenes = [_quicker(scene) for scene in OF_SUITE] if quick else OF_SUITE
    all_runs = [(scene, seed) for scene in scenes for seed in range(1, scene.runs + 1)]
    found: dict[str, list[Figures]] = {scene.name: [] for scene in scenes}
    for (scene, _), figures in zip(
        all_runs, simulate_all(*zip(*all_runs, strict=True)), strict=True
    ):
        found[scene.name].append(figures)
    return {"scenes": found}


def _quicker(scene: Scene) -> Scene:
    return attrs.evolve(TOGETHER_SMALL if scene is TOGETHER else scene, runs=1)


SUITE: Final = Suite(
    name="fleet",
    packages=(names.OURS,),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
