"""The cost of creations, as bars."""

from pathlib import Path

from benchmarks import names
from benchmarks.cost.results import medians, ratios
from benchmarks.drawing import bars
from benchmarks.drawing.bars import Bar, Panel
from benchmarks.drawing.page import Heading
from benchmarks.suite import Figures


def draw(figures: Figures, folder: Path) -> None:
    """Draw the plot."""
    ratios_of = ratios(medians(figures))
    rows = [
        [Bar(value=ratio, text=f"{ratio:.2f}", ours=name.startswith(names.OURS))]
        for name, ratio in ratios_of.items()
    ]
    bars.draw(
        folder / "cost.svg",
        Heading(
            title="Instructions for each creation, on the side of the client",
            subtitle=f"As a multiple of {names.BARE}; {figures['in_flight']} in flight, counted by "
            "callgrind",
        ),
        list(ratios_of),
        [Panel(rows=rows)],
    )
