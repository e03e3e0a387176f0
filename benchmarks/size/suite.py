"""The memory of a long run, and its time for each creation, compared with a short run.

Each run is a process of its own, with a generator as input and nginx as service. The time is CPU
time. Sizes take turns, so that a busy machine affects all of them; the largest runs only once.
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
_TIMEOUT: Final = 3600.0
"""Seconds for one run: the largest takes about ten minutes on an idle machine."""


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Run all sizes, in turns."""
    rounds = 1 if quick else _ROUNDS
    runs: dict[str, list[Mapping[str, float]]] = {}
    with FixedAnswer() as address:
        for turn in range(1, rounds + 1):
            for count in _QUICK_SIZES if quick else _SIZES:
                # A run of a million needs no repetition; it runs in the middle of the shorter ones.
                if count == LARGE and turn != (rounds + 1) // 2:
                    continue
                run = _run(count, address.base_url)
                runs.setdefault(str(count), []).append(run)
                progress.log(
                    f"size, round {turn} of {rounds}, {count:,}: {run['seconds']:.1f} s, "
                    f"{run['peak'] / MB:.1f} MB"
                )
    return {"runs": runs}


def _run(count: int, base_url: str) -> Mapping[str, float]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.size.measured", str(count), base_url],
        check=True,
        timeout=_TIMEOUT,
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
