"""What runs of each size took, as a table."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import attrs

from benchmarks.suite import Figures
from benchmarks.tables import table
from benchmarks.targets import at_most

MB: Final = 1e6
# The sizes that the memory and the cost of a long run are compared with, and the allowed excess.
SMALL: Final = 3_000
USUAL: Final = 10_000
LARGE: Final = 1_000_000
_MORE_MEMORY: Final = 8.0
_MORE_COST: Final = 1.05


@attrs.frozen(kw_only=True)
class Use:
    """The cost of a run of one size.

    Attributes:
        count: of its creations.
        cost: CPU seconds for each of them, the median of all runs.
        peak: bytes of memory, the median of all runs.

    """

    count: int
    cost: float
    peak: float


def text(figures: Figures) -> str:
    """Return the table under its heading."""
    return f"The cost of a bulk run as it gets longer.\n\n{summary(figures)}"


def summary(figures: Figures) -> str:
    """Return the table."""
    found = uses(figures)
    by_count = {use.count: use for use in found}
    rows: list[list[str]] = []
    for use in found:
        more = (use.peak - by_count[SMALL].peak) / MB
        ratio = use.cost / by_count[USUAL].cost
        held = use.count == LARGE
        rows.append(
            [
                f"{use.count:,}",
                f"{use.peak / MB:.1f}",
                at_most(_MORE_MEMORY, more, "+.1f") if held else f"{more:+.1f}",
                f"{use.cost * 1e6:,.0f}",
                at_most(_MORE_COST, ratio, ".3f") if held else f"{ratio:.3f}",
            ]
        )
    heads = (
        "creations",
        "peak memory, MB",
        f"above {SMALL:,} (target: {_MORE_MEMORY:.0f})",
        "processor time each, µs",
        f"times {USUAL:,} (target: {_MORE_COST})",
    )
    return table(heads, rows)


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
