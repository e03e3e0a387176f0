"""What came of the scenes, as bars: ours above what people use today."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
from matplotlib.axes import Axes

from benchmarks.contestants import OTHERS
from benchmarks.contestants import OURS as US
from benchmarks.drawing import FAINT, INK, OURS, THEIRS, figure
from benchmarks.overload.results import KNOWING, Result, read
from benchmarks.suite import Figures

_ROW: Final = 0.46
_HEAD: Final = 1.2
_BAR: Final = 0.36
_NAIVE: Final = OTHERS[0].name


@attrs.frozen(kw_only=True)
class _Panel:
    """One question.

    Attributes:
        title: the question.
        value: the answer, for a contestant in a scene.
        form: how to write it.

    """

    title: str
    value: Callable[[Result, str], float]
    form: str


_PANELS: Final = (
    _Panel(title="time each, to the ideal", value=Result.slowness, form=".2f"),
    _Panel(
        title="posts each",
        value=lambda result, name: result.outcomes[name].posts,
        form=".2f",
    ),
    _Panel(
        title="failed, %",
        value=lambda result, name: 100 * result.outcomes[name].failed / result.scene.count,
        form=".3g",
    ),
    _Panel(title="latency, to idle", value=Result.crowding, form=".1f"),
)


def draw(figures: Figures, folder: Path) -> None:
    """Draw them, and write them to a file."""
    results = read(figures)
    height = _HEAD + _ROW * len(results) + 0.1
    with figure(
        folder / "overload.svg",
        "A service that gets more than it can take",
        "Creations in one run against a sandbox with 16 hands of 50 ms; medians of "
        f"{len(next(iter(figures['scenes'].values()))['outcomes'][US.name])} runs",
        height=height,
    ) as drawn:
        drawn.text(0.012, 1 - 0.66 / height, US.name, va="top", color=OURS, fontweight="bold")
        drawn.text(0.165, 1 - 0.66 / height, _NAIVE, va="top", color=THEIRS, fontweight="bold")
        drawn.text(
            0.365, 1 - 0.66 / height, f"|  the latter, {KNOWING}: what this machine allows",
            va="top", color=FAINT,
        )  # fmt: skip
        axes = drawn.subplots(1, len(_PANELS), sharey=True, squeeze=False)[0]
        drawn.subplots_adjust(
            left=0.3, right=0.985, top=1 - _HEAD / height, bottom=0.1 / height, wspace=0.12
        )
        for axis, panel in zip(axes, _PANELS, strict=True):
            _draw_panel(axis, panel, results)
        axes[0].set_ylim(len(results) - 0.5, -0.5)
        axes[0].set_yticks(range(len(results)), [result.scene.title for result in results])


def _draw_panel(axis: Axes, panel: _Panel, results: Sequence[Result]) -> None:
    axis.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold", pad=5)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0, labelbottom=False)
    most = 0.0
    for row, result in enumerate(results):
        for name, place, colour in ((US.name, -0.2, OURS), (_NAIVE, 0.2, THEIRS)):
            value = panel.value(result, name)
            most = max(most, value)
            axis.barh(row + place, value, height=_BAR, color=colour)
            axis.annotate(
                f"{value:{panel.form}}", (value, row + place), (3, 0), textcoords="offset points",
                va="center_baseline", fontsize=8.5, color=colour if name == US.name else INK,
                fontweight="bold" if name == US.name else "normal",
            )  # fmt: skip
        if KNOWING in result.outcomes:
            axis.vlines(panel.value(result, KNOWING), row - 0.42, row + 0.42, color=INK, lw=1)
    axis.set_xlim(0, max(most, 1.0) * 1.35)
