"""Whether a run is as fast as with a fixed 64 requests in flight if the service has capacity.

Each scene runs in simulated time, independent of machine and network. If real time can show more,
it also runs in real time: the sandbox in a process of its own, and this library and a plain aiohttp
loop in turns.
"""

from typing import Final

from benchmarks import names, progress
from benchmarks.healthy import plot, real, results
from benchmarks.healthy.outcome import plain
from benchmarks.healthy.scenes import ALL
from benchmarks.healthy.simulation import simulate_all
from benchmarks.suite import Figures, Suite

_ROUNDS: Final = 3
_QUICK: Final = ("plain-20-50", "plain-100-200", "awaited", "busy-thread", "rate-60-exact")


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Run all scenes."""
    scenes = [scene for scene in ALL if not quick or scene.name in _QUICK]
    rounds = 1 if quick else _ROUNDS
    simulated = simulate_all([scene for scene in scenes if scene.is_simulated], rounds)
    progress.log("healthy, simulated time: done")
    found = real.measure([scene for scene in scenes if scene.is_real], rounds)
    return {"simulated": plain(simulated), "real": plain(found)}


SUITE: Final = Suite(
    name="healthy",
    packages=(names.OURS, "aiohttp"),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
