"""What runs of each size took, as lines."""

from pathlib import Path

from benchmarks.drawing import lines
from benchmarks.drawing.lines import Chart, Line
from benchmarks.drawing.page import Heading
from benchmarks.size.results import MB, uses
from benchmarks.suite import Figures


def draw(figures: Figures, folder: Path) -> None:
    """Draw them."""
    found = uses(figures)
    counts = [use.count for use in found]
    megabytes = [use.peak / MB for use in found]
    microseconds = [use.cost * 1e6 for use in found]
    lines.draw(
        folder / "size.svg",
        Heading(
            title="What a bulk run takes as it gets longer",
            subtitle="create_many from a generator, 64 in flight, by the number of creations",
        ),
        [
            Chart(
                title="peak memory, MB",
                lines=[Line(counts, megabytes, form=".1f")],
                logarithmic=True,
                top=max(megabytes) * 1.3,
                bottom_label="creations",
            ),
            Chart(
                title="processor time of each creation, µs",
                lines=[Line(counts, microseconds, form=".0f")],
                logarithmic=True,
                top=max(microseconds) * 1.3,
                bottom_label="creations",
            ),
        ],
    )
