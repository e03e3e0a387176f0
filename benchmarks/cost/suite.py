"""What a creation costs on this side, as a ratio to a bare loop around aiohttp.

Each client creates a few and many, 32 at a time, in processes of their own under callgrind; the
difference of the two is what the creations cost, without start-up. nginx answers, so that the
service costs next to nothing and is always there in time. Instructions are the same on a busy
machine, and repeat within a hundredth, so once is enough; only httpx, which walks through all its
connections again and again, takes half as much more in one run than in another.
"""

from collections.abc import Mapping
from pathlib import Path
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


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Count the instructions of each client."""
    found: dict[str, int] = {}
    with FixedAnswer() as address:
        for client in QUICK if quick else ALL:
            arguments = ["-m", "benchmarks.cost.measured", client.name]
            few, many = (
                instructions([*arguments, str(count), address.base_url]) for count in (_FEW, _MANY)
            )
            found[client.name] = round((many - few) / (_MANY - _FEW))
            progress.say(f"cost, {client.name}: {found[client.name]:,}")
    return {"in_flight": IN_FLIGHT, "creations": [_FEW, _MANY], "instructions": found}


def text(figures: Figures) -> str:
    """Return a table of them."""
    instructions_of = figures["instructions"]
    ratios_of = ratios(instructions_of)
    rows = [
        [name, f"{instructions_of[name]:,.0f}", f"{ratio:.2f}"] for name, ratio in ratios_of.items()
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


def ratios(instructions_of: Mapping[str, int]) -> dict[str, float]:
    """Return them as ratios to the bare loop."""
    bare = instructions_of[BARE]
    return {name: count / bare for name, count in instructions_of.items()}


SUITE: Final = Suite(
    name="cost",
    packages=tuple({package for client in ALL for package in client.packages}),
    programs=("nginx", "valgrind"),
    measure=measure,
    text=text,
    draw=plot,
)
