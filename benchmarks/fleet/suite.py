"""Whether a thousand clients share a service well that none of them knows the size of."""

from typing import Final

from benchmarks import names
from benchmarks.fleet import plot, results
from benchmarks.fleet.simulation import simulate
from benchmarks.suite import Figures, Suite

_CLIENTS: Final = 1_000
_QUICK_CLIENTS: Final = 100
_SEED: Final = 1


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Simulate them."""
    return simulate(_QUICK_CLIENTS if quick else _CLIENTS, _SEED)


SUITE: Final = Suite(
    name="fleet",
    packages=(names.OURS,),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
