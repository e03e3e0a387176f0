"""What a creation costs on this side, as a ratio to a bare loop around aiohttp.

Each client creates a few and many, 32 at a time, in processes of their own under callgrind; the
difference of the two is what the creations cost, without start-up. nginx answers, so that the
service costs next to nothing and is always there in time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import progress
from benchmarks.cost.callgrind import instructions
from benchmarks.cost.clients import ALL, BARE, IN_FLIGHT, OURS, QUICK
from benchmarks.drawing import Bars, Panel, draw
from benchmarks.fixed_answer import FixedAnswer
from benchmarks.suite import Figures, Suite
from benchmarks.tables import table

_FEW: Final = 300
_MANY: Final = 1300
_ROUNDS: Final = 3
_FAR: Final = 2.0
"""As a multiple of the bare loop: what takes more is counted once, which takes valgrind long."""


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Count the instructions of each client, in turns."""
    rounds, clients = (1, QUICK) if quick else (_ROUNDS, ALL)
    found: dict[str, list[float]] = {client.name: [] for client in clients}
    with FixedAnswer() as address:
        for turn in range(1, rounds + 1):
            for client in clients:
                if turn > 1 and found[client.name][0] > _FAR * found[BARE][0]:
                    continue
                arguments = ["-m", "benchmarks.cost.measured", client.name]
                counts = [
                    instructions([*arguments, str(count), address.base_url])
                    for count in (_FEW, _MANY)
                ]
                each = (counts[1] - counts[0]) / (_MANY - _FEW)
                found[client.name].append(each)
                progress.say(f"cost, round {turn} of {rounds}, {client.name}: {each:,.0f}")
    return {"in_flight": IN_FLIGHT, "creations": [_FEW, _MANY], "instructions": found}


def text(figures: Figures) -> str:
    """Return a table of them."""
    instructions_of = figures["instructions"]
    ratios_of = ratios(instructions_of)
    rows = [
        [name, f"{median(instructions_of[name]):,.0f}", f"{ratio:.2f}"]
        for name, ratio in ratios_of.items()
    ]
    few, many = figures["creations"]
    heading = (
        f"What a creation costs on this side: {many:,} creations less {few:,}, "
        f"{figures['in_flight']} in flight."
    )
    return f"{heading}\n\n{table(['', 'instructions', 'ratio'], rows)}"


def plot(figures: Figures, folder: Path) -> None:
    """Draw them."""
    ratios_of = ratios(figures["instructions"])
    ours = {client.name for client in OURS}
    names = sorted(ratios_of, key=lambda name: (name not in ours, ratios_of[name]))
    draw(
        folder / "cost.svg",
        Bars(
            title="Instructions per creation, on the side of the client",
            subtitle=f"As a multiple of {BARE}; {figures['in_flight']} in flight, counted by "
            "callgrind",
            rows=names,
            ours=len(ours),
            panels=[Panel(title="", values=[ratios_of[name] for name in names], form=".2f")],
        ),
    )


def ratios(instructions_of: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the medians as ratios to the bare loop."""
    bare = median(instructions_of[BARE])
    return {name: median(counts) / bare for name, counts in instructions_of.items()}


SUITE: Final = Suite(
    name="cost",
    packages=tuple({package for client in ALL for package in client.packages}),
    programs=("nginx", "valgrind"),
    measure=measure,
    text=text,
    draw=plot,
)
