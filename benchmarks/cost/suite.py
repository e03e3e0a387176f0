"""What a creation costs on this side, as a ratio to a bare loop around aiohttp.

Each client creates a few and many, 32 at a time, in processes of their own under callgrind; the
difference of the two is what the creations cost, without start-up. nginx answers, so that the
service costs next to nothing and is always there in time. Instructions are the same on a busy
machine, and repeat within a hundredth, so once is enough; only httpx, which walks through all its
connections again and again, takes half as much more in one run than in another.
"""

from typing import Final

from benchmarks import progress
from benchmarks.cost import plot, results
from benchmarks.cost.callgrind import instructions
from benchmarks.cost.clients import ALL, IN_FLIGHT, QUICK
from benchmarks.fixed_answer import FixedAnswer
from benchmarks.suite import Figures, Suite

_COUNTS: Final = (300, 1300)
_QUICK_COUNTS: Final = (100, 300)


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Count the instructions of each client."""
    found: dict[str, int] = {}
    few, many = _QUICK_COUNTS if quick else _COUNTS
    with FixedAnswer() as address:
        for client in QUICK if quick else ALL:
            arguments = ["-m", "benchmarks.cost.measured", client.name]
            less, more = (
                instructions([*arguments, str(count), address.base_url]) for count in (few, many)
            )
            found[client.name] = round((more - less) / (many - few))
            progress.say(f"cost, {client.name}: {found[client.name]:,}")
    return {"in_flight": IN_FLIGHT, "creations": [few, many], "instructions": found}


SUITE: Final = Suite(
    name="cost",
    packages=tuple({package for client in ALL for package in client.packages}),
    programs=("nginx", "valgrind"),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
