"""How throughput grows with the number of workers, as a plot."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves many arguments untyped.)

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.drawing.page import FAINT, GRID, OURS, Heading, page

_HEIGHT: Final = 3.1
"""Inches."""


def draw(
    path: Path, rates: Mapping[int, float], ideals: Mapping[int, float], subtitle: str
) -> None:
    """Draw creations a second by the number of workers, under the line of what is possible."""
    most = max(ideals.values())
    heading = Heading(title="Restreams a second, by worker processes", subtitle=subtitle)
    with page(path, heading, height=_HEIGHT) as drawn:
        axis = drawn.subplots()
        drawn.subplots_adjust(left=0.06, right=0.97, top=1 - 0.75 / _HEIGHT, bottom=0.5 / _HEIGHT)
        axis.set_xlim(0, max(ideals) * 1.22)
        axis.set_ylim(0, most * 1.12)
        axis.set_xticks([0, *ideals])
        axis.set_xlabel("workers")
        axis.tick_params(length=0, labelcolor=FAINT)
        axis.grid(axis="y", color=GRID, linewidth=0.5)
        axis.set_axisbelow(True)
        axis.spines["left"].set_visible(False)
        axis.plot(
            [0, *ideals], [0, *ideals.values()], color=FAINT, linewidth=0.9, linestyle=(0, (4, 3))
        )
        axis.plot([*rates], [*rates.values()], color=OURS, linewidth=1.6, marker="o", markersize=5)
        for workers, rate in rates.items():
            axis.annotate(
                f"{rate:.0f} of {ideals[workers]:.0f}: {100 * rate / ideals[workers]:.0f} %",
                (workers, rate),
                (9, -3),
                textcoords="offset points",
                va="top",
                color=OURS,
                fontweight="bold",
            )
