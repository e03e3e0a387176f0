"""Panels of bars side by side, over the same rows."""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves many arguments untyped.)

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from matplotlib.axes import Axes

from benchmarks.drawing.page import INK, OURS, THEIRS, Heading, page

# Inches.
_BAR: Final = 0.18
_GAP: Final = 0.12
_TITLES: Final = 0.28
_FOOT: Final = 0.1
_THICKNESS: Final = 0.9


@attrs.frozen(kw_only=True)
class Bar:
    """A number.

    Attributes:
        value: the number.
        text: how it is written.
        ours: whether it is this library's.

    """

    value: float
    text: str
    ours: bool


@attrs.frozen(kw_only=True)
class Panel:
    """One question.

    Attributes:
        title: the question.
        rows: the answers, as many in each row.
        marks: the number to compare each row with; None: there is none.

    """

    title: str = ""
    rows: Sequence[Sequence[Bar]]
    marks: Sequence[float | None] = ()


def draw(
    path: Path,
    heading: Heading,
    names: Sequence[str],
    panels: Sequence[Panel],
    *,
    one_scale: bool = True,
) -> None:
    """Draw panels over the rows with these names; `one_scale` if all have the same unit."""
    head = heading.height + (_TITLES if any(panel.title for panel in panels) else 0.0)
    pitch = _GAP + _BAR * len(panels[0].rows[0])
    height = head + pitch * len(names) + _FOOT
    with page(path, heading, height=height) as drawn:
        axes = drawn.subplots(1, len(panels), sharex=one_scale, sharey=True, squeeze=False)[0]
        drawn.subplots_adjust(
            left=0.022 + 0.0093 * max(map(len, names)),
            right=0.985,
            top=1 - head / height,
            bottom=_FOOT / height,
            wspace=0.08,
        )
        for axis, panel in zip(axes, panels, strict=True):
            _draw_panel(axis, panel, _BAR / pitch)
        if one_scale:
            axes[0].set_xlim(0, max(map(_most, panels)) * 1.3)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        axes[0].set_yticks(range(len(names)), names)
        for label, row in zip(axes[0].get_yticklabels(), panels[0].rows, strict=True):
            if all(bar.ours for bar in row):
                label.set(fontweight="bold", color=OURS)


def _draw_panel(axis: Axes, panel: Panel, thickness: float) -> None:
    axis.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold", pad=5)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0, labelbottom=False)
    axis.set_xlim(0, _most(panel) * 1.35)
    for number, row in enumerate(panel.rows):
        for place, bar in enumerate(row):
            middle = number + (place - (len(row) - 1) / 2) * thickness
            colour = OURS if bar.ours else THEIRS
            axis.barh(middle, bar.value, height=thickness * _THICKNESS, color=colour)
            axis.annotate(
                bar.text, (bar.value, middle), (4, 0), textcoords="offset points",
                va="center_baseline", color=OURS if bar.ours else INK,
                fontweight="bold" if bar.ours else "normal",
            )  # fmt: skip
    for number, mark in enumerate(panel.marks):
        if mark is not None:
            reach = thickness * len(panel.rows[number]) / 2 + 0.04
            axis.vlines(mark, number - reach, number + reach, color=INK, linewidth=1.2)


def _most(panel: Panel) -> float:
    marks = [mark for mark in panel.marks if mark is not None]
    return max(1.0, *marks, *(bar.value for row in panel.rows for bar in row))
