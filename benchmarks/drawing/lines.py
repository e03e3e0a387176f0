"""Charts of lines side by side."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves many arguments untyped.)

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from matplotlib.axes import Axes

from benchmarks.drawing.page import FAINT, GRID, OURS, WASH, Heading, page

# Inches.
_TITLES: Final = 0.28
_CHART: Final = 1.5
_FOOT: Final = 0.48


@attrs.frozen
class Line:
    """Numbers along an axis.

    Attributes:
        places: along the axis.
        values: at each of them.
        colour: of the line.
        form: how to write each number; empty: they are not written.

    """

    places: Sequence[float]
    values: Sequence[float]
    colour: str = attrs.field(default=OURS, kw_only=True)
    form: str = attrs.field(default="", kw_only=True)


@attrs.frozen(kw_only=True)
class Chart:
    """Lines over one axis.

    Attributes:
        title: what the numbers are.
        lines: the numbers.
        top: of the axis of the numbers, which begins at 0.
        bottom_label: what the places are.
        logarithmic: whether places are powers of ten.
        level: a number that all are to be compared with, and its name.
        band: from where to where something was different, and what.

    """

    title: str = ""
    lines: Sequence[Line]
    top: float
    bottom_label: str
    logarithmic: bool = False
    level: tuple[float, str] | None = None
    band: tuple[float, float, str] | None = None


def draw(path: Path, heading: Heading, charts: Sequence[Chart]) -> None:
    """Draw charts side by side."""
    head = heading.height + (_TITLES if any(chart.title for chart in charts) else 0.04)
    height = head + _CHART + _FOOT
    with page(path, heading, height=height) as drawn:
        axes = drawn.subplots(1, len(charts), squeeze=False)[0]
        drawn.subplots_adjust(
            left=0.05,
            right=0.9 if any(chart.level for chart in charts) else 0.985,
            top=1 - head / height,
            bottom=_FOOT / height,
            wspace=0.16,
        )
        for axis, chart in zip(axes, charts, strict=True):
            _draw_chart(axis, chart)


def _draw_chart(axis: Axes, chart: Chart) -> None:
    axis.set_title(chart.title, loc="left", fontsize=9.5, fontweight="bold", pad=5)
    axis.set_ylim(0, chart.top)
    axis.tick_params(length=0, labelcolor=FAINT)
    axis.grid(axis="y", color=GRID, linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(chart.bottom_label)
    if chart.logarithmic:
        axis.set_xscale("log")
        axis.minorticks_off()
    else:
        axis.set_xlim(0, max(max(line.places) for line in chart.lines))
    if chart.band is not None:
        start, end, what = chart.band
        axis.axvspan(start, end, color=WASH, linewidth=0)
        axis.annotate(
            what, ((start + end) / 2, chart.top), (0, -4), textcoords="offset points",
            ha="center", va="top", color=FAINT,
        )  # fmt: skip
    if chart.level is not None:
        value, name = chart.level
        axis.axhline(value, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        axis.annotate(
            name, (1, value), (4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center_baseline", color=FAINT,
        )  # fmt: skip
    for line in chart.lines:
        _draw_line(axis, line)


def _draw_line(axis: Axes, line: Line) -> None:
    axis.plot(
        line.places, line.values, color=line.colour, linewidth=1.6,
        marker="o" if line.form else None, markersize=4,
    )  # fmt: skip
    if line.form:
        for place, value in zip(line.places, line.values, strict=True):
            axis.annotate(
                f"{value:{line.form}}", (place, value), (0, 6), textcoords="offset points",
                ha="center", color=line.colour, fontweight="bold",
            )  # fmt: skip
