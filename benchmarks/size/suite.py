"""Whether a long run takes more than a short one: memory, and time for each creation.

Each run is a process of its own, with a generator for its input and nginx for its service. The time
is that of the process, not of the clock. Sizes take turns, so that a busy hour of the machine meets
them all; the largest has only one.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from benchmarks import progress
from benchmarks.fixed_answer import FixedAnswer
from benchmarks.lines import Chart, Line, draw
from benchmarks.suite import Figures, Suite
from benchmarks.tables import table

SMALL: Final = 3_000
_COMPARED: Final = 10_000
_SIZES: Final = (1_000, SMALL, _COMPARED, 100_000, 1_000_000)
_QUICK_SIZES: Final = _SIZES[:-1]
_ROUNDS: Final = 5
# A run of a million is a median in itself.
_ONCE: Final = 1_000_000
_MB: Final = 1e6


@attrs.frozen(kw_only=True)
class Use:
    """What a run of one size took.

    Attributes:
        count: of its creations.
        cost: seconds of the processor for each of them, the median of all runs.
        peak: bytes of memory, the median of all runs.

    """

    count: int
    cost: float
    peak: float


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Run all sizes, in turns."""
    rounds = 1 if quick else _ROUNDS
    runs: dict[str, list[Mapping[str, float]]] = {}
    with FixedAnswer() as address:
        for turn in range(1, rounds + 1):
            for count in _QUICK_SIZES if quick else _SIZES:
                # In the middle, with shorter ones before and after.
                if count == _ONCE and turn != (rounds + 1) // 2:
                    continue
                run = _run(count, address.base_url)
                runs.setdefault(str(count), []).append(run)
                progress.say(
                    f"size, round {turn} of {rounds}, {count:,}: {run['seconds']:.1f} s, "
                    f"{run['peak'] / _MB:.1f} MB"
                )
    return {"runs": runs}


def text(figures: Figures) -> str:
    """Return a table."""
    found = uses(figures)
    by_count = {use.count: use for use in found}
    rows = [
        [
            f"{use.count:,}",
            f"{use.cost * 1e6:,.0f}",
            f"{use.cost / by_count[_COMPARED].cost:.3f}",
            f"{use.peak / _MB:.1f}",
            f"{(use.peak - by_count[SMALL].peak) / _MB:+.1f}",
        ]
        for use in found
    ]
    heads = ("creations", "µs each", f"to {_COMPARED:,}", "peak, MB", f"to {SMALL:,}")
    return f"What a bulk run takes as it gets longer.\n\n{table(heads, rows)}"


def plot(figures: Figures, folder: Path) -> None:
    """Draw it."""
    found = uses(figures)
    counts = [use.count for use in found]
    megabytes = [use.peak / _MB for use in found]
    microseconds = [use.cost * 1e6 for use in found]
    draw(
        folder / "size.svg",
        title="A longer run takes no more memory, and no more for each creation",
        subtitle="`create_many` from a generator, by the number of creations",
        charts=[
            Chart(
                title="peak memory, MB",
                lines=[Line(counts, megabytes, form=".1f")],
                logarithmic=True,
                top=max(megabytes) * 1.3,
            ),
            Chart(
                title="processor time of each creation, µs",
                lines=[Line(counts, microseconds, form=".0f")],
                logarithmic=True,
                top=max(microseconds) * 1.3,
            ),
        ],
    )


def uses(figures: Figures) -> Sequence[Use]:
    """Return what the runs of each size took."""
    return [
        Use(
            count=int(count),
            cost=median(run["seconds"] for run in runs) / int(count),
            peak=median(run["peak"] for run in runs),
        )
        for count, runs in figures["runs"].items()
    ]


def _run(count: int, base_url: str) -> Mapping[str, float]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.size.measured", str(count), base_url],
        check=True,
        stdout=subprocess.PIPE,
    )
    run: Mapping[str, float] = json.loads(done.stdout)
    return run


SUITE: Final = Suite(
    name="size",
    packages=("restream-async", "aiohttp"),
    programs=("nginx",),
    measure=measure,
    text=text,
    draw=plot,
)
