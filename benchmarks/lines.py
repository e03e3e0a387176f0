"""Line charts for the README, in the style of `drawing`: each line named in its colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from matplotlib.axes import Axes

from benchmarks.drawing import FAINT, GRID, OURS, figure

_HEIGHT: Final = 2.7
_WASH: Final = "#f0f2f4"


@attrs.frozen
class Line:
    """Numbers along an axis.

    Attributes:
        places: along the axis.
        values: at each of them.
        label: its name.
        colour: of both.
        form: how to write each number; empty: they are not written.

    """

    places: Sequence[float]
    values: Sequence[float]
    label: str = attrs.field(default="", kw_only=True)
    colour: str = attrs.field(default=OURS, kw_only=True)
    form: str = attrs.field(default="", kw_only=True)


@attrs.frozen(kw_only=True)
class Chart:
    """Lines over one axis.

    Attributes:
        title: what the numbers are.
        lines: the numbers.
        top: of the axis of the numbers, which begins at nought.
        logarithmic: whether places are powers of ten.
        bottom_label: what the places are.
        level: a number that all are to be compared with, and its name.
        band: from where to where something was different, and what.

    """

    title: str
    lines: Sequence[Line]
    top: float
    logarithmic: bool = False
    bottom_label: str = ""
    level: tuple[float, str] | None = None
    band: tuple[float, float, str] | None = None


def draw(path: Path, *, title: str, subtitle: str, charts: Sequence[Chart]) -> None:
    """Draw charts side by side, and write them to a file."""
    with figure(path, title, subtitle, height=_HEIGHT) as drawn:
        axes = drawn.subplots(1, len(charts), squeeze=False)[0]
        drawn.subplots_adjust(
            left=0.05,
            right=0.985 if len(charts) > 1 else 0.9,
            top=1 - (0.98 if charts[0].title else 0.72) / _HEIGHT,
            bottom=0.42 / _HEIGHT,
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
        axis.axvspan(start, end, color=_WASH, linewidth=0)
        axis.annotate(
            what, ((start + end) / 2, chart.top), (0, -4), textcoords="offset points",
            ha="center", va="top", color=FAINT,
        )  # fmt: skip
    if chart.level is not None:
        value, name = chart.level
        axis.axhline(value, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        axis.annotate(
            name, (1, value), (4, -3), xycoords=("axes fraction", "data"),
            textcoords="offset points", color=FAINT,
        )  # fmt: skip
    for row, line in enumerate(chart.lines):
        _draw_line(axis, line)
        axis.annotate(
            line.label, (0, 1), (4, -4 - 13 * row), xycoords="axes fraction",
            textcoords="offset points", va="top", color=line.colour, fontweight="bold",
        )  # fmt: skip


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
