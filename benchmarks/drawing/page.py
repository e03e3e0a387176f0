"""The page of all plots: colours for light and dark pages, and the heading.

A plot fits into the column of a README. The same figures always give the same file.
"""
# pyright: reportUnknownMemberType=false
# (matplotlib leaves many arguments untyped.)

import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

WIDTH: Final = 8.6
"""Inches; GitHub shows a README about 830 pixels wide."""
LEFT: Final = 0.012
"""Where headings begin, as a share of the width."""

INK: Final = "#24292f"
FAINT: Final = "#57606a"
GRID: Final = "#d0d7de"
WASH: Final = "#f0f2f4"
# Of Okabe and Ito's palette, which people with any colour vision can tell apart.
OURS: Final = "#0072b2"
THEIRS: Final = "#d55e00"
_PAPER: Final = "#ffffff"
_DARK: Final[Mapping[str, str]] = {
    _PAPER: "#0d1117",
    INK: "#e6edf3",
    FAINT: "#9198a1",
    GRID: "#3d444d",
    WASH: "#1c2128",
    OURS: "#56b4e9",
    THEIRS: "#e37b32",
}

# `Any`, because matplotlib types its settings as one long literal.
_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "figure.facecolor": _PAPER,
    # Outlines look the same without fonts. The salt gives the same ids in each run.
    "svg.fonttype": "path",
    "svg.hashsalt": "restream-async",
}
_TITLE: Final = 0.36
_SUBTITLE: Final = 0.28
_LEGEND: Final = 0.28


@attrs.frozen(kw_only=True)
class Heading:
    """The heading of a plot.

    Attributes:
        title: what was done.
        subtitle: how.
        legend: names and their colours; empty if the labels are enough.

    """

    title: str
    subtitle: str
    legend: Sequence[tuple[str, str]] = ()

    @property
    def height(self) -> float:
        """Inches that it takes."""
        return 0.1 + _TITLE + _SUBTITLE + (_LEGEND if self.legend else 0.0)


@contextmanager
def page(path: Path, heading: Heading, *, height: float) -> Generator[Figure, None, None]:
    """Make a figure under a heading, and write it as SVG when the block ends."""
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(WIDTH, height))
        drawn.text(
            LEFT, 1 - 0.1 / height, heading.title, va="top", fontsize=12.5, fontweight="bold"
        )
        drawn.text(LEFT, 1 - (0.04 + _TITLE) / height, heading.subtitle, va="top", color=FAINT)
        if heading.legend:
            names = [
                TextArea(name, textprops={"color": colour, "fontweight": "bold"})
                for name, colour in heading.legend
            ]
            drawn.add_artist(
                AnchoredOffsetbox(
                    loc="upper left", child=HPacker(children=[*names], pad=0, sep=14), pad=0,
                    borderpad=0, frameon=False, bbox_transform=drawn.transFigure,
                    bbox_to_anchor=(LEFT, 1 - (0.06 + _TITLE + _SUBTITLE) / height),
                )
            )  # fmt: skip
        yield drawn
        written = io.StringIO()
        # Without a date, so that the same figures give the same file.
        drawn.savefig(written, format="svg", metadata={"Title": heading.title, "Date": None})
    path.write_text(_with_dark_colours(written.getvalue()), "utf-8")


def _with_dark_colours(svg: str) -> str:
    """Return the plot with other colours for dark pages."""
    rules = "\n".join(
        f'  [style*="{kind}: {day}"] {{ {kind}: {dark} !important }}'
        for day, dark in _DARK.items()
        for kind in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{\n{rules}\n }}</style>"
    return svg.replace(" <defs>", f" {style}\n <defs>", 1)
