"""Whether a long run takes more than a short one: memory, and time for each creation.

Each run is a process of its own, with a generator for its input and nginx for its service. The time
is that of the process, not of the clock. Sizes take turns, so that a busy hour of the machine meets
them all; the largest has only one.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from benchmarks import progress
from benchmarks.fixed_answer import FixedAnswer
from benchmarks.size import plot, results
from benchmarks.size.results import LARGE, MB, SMALL, USUAL
from benchmarks.suite import Figures, Suite

_SIZES: Final = (1_000, SMALL, USUAL, 100_000, LARGE)
_QUICK_SIZES: Final = _SIZES[:3]
_ROUNDS: Final = 5
_PATIENCE: Final = 3600.0
"""Seconds for one run: the largest takes about ten minutes on an idle machine."""


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Run all sizes, in turns."""
    rounds = 1 if quick else _ROUNDS
    runs: dict[str, list[Mapping[str, float]]] = {}
    with FixedAnswer() as address:
        for turn in range(1, rounds + 1):
            for count in _QUICK_SIZES if quick else _SIZES:
                # A run of a million is a median in itself; it has shorter ones around it.
                if count == LARGE and turn != (rounds + 1) // 2:
                    continue
                run = _run(count, address.base_url)
                runs.setdefault(str(count), []).append(run)
                progress.say(
                    f"size, round {turn} of {rounds}, {count:,}: {run['seconds']:.1f} s, "
                    f"{run['peak'] / MB:.1f} MB"
                )
    return {"runs": runs}


def _run(count: int, base_url: str) -> Mapping[str, float]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.size.measured", str(count), base_url],
        check=True,
        timeout=_PATIENCE,
        stdout=subprocess.PIPE,
    )
    run: Mapping[str, float] = json.loads(done.stdout)
    return run


SUITE: Final = Suite(
    name="size",
    packages=("restream-async", "aiohttp"),
    programs=("nginx",),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
