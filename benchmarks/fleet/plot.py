"""What the fleets did by the second, as lines."""

from pathlib import Path
from typing import Final

from benchmarks.drawing import lines
from benchmarks.drawing.lines import Chart, Line
from benchmarks.drawing.page import OURS, THEIRS, Heading
from benchmarks.fleet.scenes import SHEDS, TOGETHER, Scene
from benchmarks.suite import Figures

_TOP: Final = 3.0
"""Times the capacity: the first wave of those that start together goes far beyond it."""


def draw(figures: Figures, folder: Path) -> None:
    """Draw those that have an outage."""
    lines.draw(
        folder / "fleet.svg",
        Heading(
            title="Many clients share a service, and none knows how large it is",
            subtitle="In simulated time, by the half second, as a multiple of the capacity",
            legend=[("requests that arrive", THEIRS), ("creations done", OURS)],
        ),
        [
            _chart(scene, figures["scenes"][scene.name][0], level)
            for scene, level in ((TOGETHER, ""), (SHEDS, "capacity"))
        ],
    )


def _chart(scene: Scene, run: Figures, level: str) -> Chart:
    step, capacity = run["step"], run["capacity"]
    moments = [number * step + step / 2 for number in range(len(run["created"]))]

    def relative(name: str) -> list[float]:
        return [rate / capacity for rate in run[name]]

    gone, back = run["gone"]
    return Chart(
        title=f"{run['clients']:,} clients, {scene.title}",
        lines=[
            Line(moments, relative("arrived"), colour=THEIRS),
            Line(moments, relative("created"), colour=OURS),
        ],
        top=min(_TOP, max(1.2, *relative("arrived")) * 1.15),
        level=(1.0, level),
        band=(gone, back, "gone"),
        bottom_label="seconds",
    )
