"""Plots for the README: light, narrow enough for its column, the same from the same figures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH: Final = 8.6
"""Inches; GitHub shows a README about 830 pixels wide."""

INK: Final = "#24292f"
FAINT: Final = "#57606a"
GRID: Final = "#d0d7de"
# Of Okabe and Ito's palette, which people with any colour vision can tell apart.
OURS: Final = "#0072b2"
THEIRS: Final = "#d55e00"

# `Any`, because matplotlib spells its settings out as one long literal type.
_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "figure.facecolor": "white",
    # Outlines, not fonts: it looks the same everywhere. The salt keeps ids the same in each run.
    "svg.fonttype": "path",
    "svg.hashsalt": "restream-async",
}


@attrs.frozen(kw_only=True)
class Panel:
    """One question, and a number for each row.

    Attributes:
        title: the question.
        values: the answers, in the order of the rows.
        notes: what to say after each.

    """

    title: str
    values: Sequence[int]
    notes: Sequence[str] = ()


@attrs.frozen(kw_only=True)
class Bars:
    """Panels of bars side by side, over the same rows and on the same scale.

    Attributes:
        title: what was done.
        subtitle: how.
        rows: who did it.
        ours: how many of the rows, from the top, are ours.
        panels: what came of it.

    """

    title: str
    subtitle: str
    rows: Sequence[str]
    ours: int
    panels: Sequence[Panel]


@contextmanager
def figure(path: Path, title: str, subtitle: str, *, height: float) -> Iterator[Figure]:
    """Make a figure under a title, and write it as SVG when the block ends."""
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(WIDTH, height))
        drawn.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=12.5, fontweight="bold")
        drawn.text(0.012, 1 - 0.36 / height, subtitle, va="top", color=FAINT)
        yield drawn
        # Without a date: the same figures make the same file.
        drawn.savefig(path, format="svg", metadata={"Title": title, "Date": None})


def draw(path: Path, bars: Bars) -> None:
    """Draw bars, and write them to a file."""
    head, row, foot = 0.98, 0.3, 0.1
    height = head + row * len(bars.rows) + foot
    most = max(max(panel.values) for panel in bars.panels)
    with figure(path, bars.title, bars.subtitle, height=height) as drawn:
        axes = drawn.subplots(1, len(bars.panels), sharex=True, sharey=True, squeeze=False)[0]
        drawn.subplots_adjust(
            left=0.022 + 0.0093 * max(map(len, bars.rows)),
            right=0.985,
            top=1 - head / height,
            bottom=foot / height,
            wspace=0.08,
        )
        for axis, panel in zip(axes, bars.panels, strict=True):
            _draw_panel(axis, panel, bars.ours)
        axes[0].set_xlim(0, max(most, 1) * 1.3)
        axes[0].set_ylim(len(bars.rows) - 0.45, -0.55)
        axes[0].set_yticks(range(len(bars.rows)), bars.rows)
        for label in axes[0].get_yticklabels()[: bars.ours]:
            label.set(fontweight="bold", color=OURS)


def _draw_panel(axis: Axes, panel: Panel, ours: int) -> None:
    colours = [OURS if row < ours else THEIRS for row in range(len(panel.values))]
    axis.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold", pad=5)
    axis.barh(range(len(panel.values)), panel.values, height=0.6, color=colours)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0, labelbottom=False)
    for row, value in enumerate(panel.values):
        axis.annotate(
            f"{value:,}{panel.notes[row] if panel.notes else ''}",
            (value, row),
            (3, 0),
            textcoords="offset points",
            va="center_baseline",
            color=OURS if row < ours else INK,
            fontweight="bold" if row < ours else "normal",
        )
