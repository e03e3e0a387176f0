"""What the fleet did by the second, as lines."""

from pathlib import Path

from benchmarks.drawing import lines
from benchmarks.drawing.lines import Chart, Line
from benchmarks.drawing.page import OURS, THEIRS, Heading
from benchmarks.suite import Figures


def draw(figures: Figures, folder: Path) -> None:
    """Draw it."""
    step, capacity = figures["step"], figures["capacity"]
    moments = [number * step + step / 2 for number in range(len(figures["created"]))]

    def relative(name: str) -> list[float]:
        return [rate / capacity for rate in figures[name]]

    gone, back = figures["gone"]
    lines.draw(
        folder / "fleet.svg",
        Heading(
            title=f"{figures['clients']:,} clients share a service that none of them knows",
            subtitle="In simulated time, by the half second, as a multiple of the capacity",
            legend=[("requests that arrive", THEIRS), ("creations done", OURS)],
        ),
        [
            Chart(
                lines=[
                    Line(moments, relative("arrived"), colour=THEIRS),
                    Line(moments, relative("created"), colour=OURS),
                ],
                top=max(1.2, *relative("arrived")) * 1.15,
                level=(1.0, "capacity"),
                band=(gone, back, "the service is gone"),
                bottom_label="seconds",
            )
        ],
    )
