"""The time as a multiple of that of a fixed 64, as bars, with the targets."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.drawing import bars
from benchmarks.drawing.bars import Bar, Panel
from benchmarks.drawing.page import FAINT, OURS, THEIRS, Heading
from benchmarks.healthy.results import Both, Result, read
from benchmarks.suite import Figures


def draw(figures: Figures, folder: Path) -> None:
    """Draw the plot."""
    both = read(figures)
    bars.draw(
        folder / "healthy.svg",
        Heading(
            title="A service that has room, or a rate limit",
            subtitle="Seconds until the last outcome, as a multiple of those of a fixed 64 in "
            "flight, or of the ideal",
            legend=[("in real time", OURS), ("in simulated time", THEIRS), ("|  target", FAINT)],
        ),
        [one.scene.title for one in both],
        [_panel(both)],
    )


def _panel(both: Sequence[Both]) -> Panel:
    return Panel(
        rows=[[_bar(one.real, ours=True), _bar(one.simulated, ours=False)] for one in both],
        marks=[one.scene.most for one in both],
    )


def _bar(result: Result | None, *, ours: bool) -> Bar:
    if result is None:
        return Bar(value=0.0, text="", ours=ours)
    return Bar(value=result.times, text=f"{result.times:.2f}", ours=ours)
