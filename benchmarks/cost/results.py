"""The cost of creations, as a table."""

from collections.abc import Mapping
from statistics import median
from typing import Final

from benchmarks import names
from benchmarks.suite import Figures
from benchmarks.tables import table
from benchmarks.targets import at_most

_TARGET: Final = 1.0


def text(figures: Figures) -> str:
    """Return the table under its heading."""
    few, many = figures["creations"]
    heading = (
        f"What a creation costs on this side: {many:,} creations less {few:,}, "
        f"{figures['in_flight']} in flight."
    )
    return f"{heading}\n\n{summary(figures)}"


def summary(figures: Figures) -> str:
    """Return the table."""
    instructions_of = medians(figures)
    rows = [
        [name, f"{instructions_of[name]:,.0f}", _marked(name, ratio)]
        for name, ratio in ratios(instructions_of).items()
    ]
    heads = ("", "instructions", f"times {names.BARE} (target for {names.OURS}: {_TARGET:.2f})")
    return table(heads, rows)


def medians(figures: Figures) -> dict[str, float]:
    """Return the instructions of each client."""
    return {name: median(counts) for name, counts in figures["instructions"].items()}


def ratios(instructions_of: Mapping[str, float]) -> dict[str, float]:
    """Return the instructions of each client as ratios to the bare loop, the cheapest first."""
    bare = instructions_of[names.BARE]
    found = {name: count / bare for name, count in instructions_of.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _marked(name: str, ratio: float) -> str:
    return at_most(_TARGET, ratio, ".2f") if name == names.OURS else f"{ratio:.2f}"
