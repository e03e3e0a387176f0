"""What a creation costs on this side, as a ratio to a bare loop around aiohttp.

Each client creates a few and many, 32 at a time, in processes of their own under callgrind; the
difference of the two is what the creations cost, without start-up. nginx answers, so that the
service costs next to nothing and is always there in time. Instructions are the same on a busy
machine, and repeat within two hundredths; only httpx, which walks through all its connections again
and again, takes half as much more in one run than in another. Shown is the median of three rounds.
"""

from typing import Final

from benchmarks import progress
from benchmarks.cost import plot, results
from benchmarks.cost.callgrind import instructions
from benchmarks.cost.clients import ALL, IN_FLIGHT, QUICK
from benchmarks.fixed_answer import FixedAnswer
from benchmarks.suite import Figures, Suite

_ROUNDS: Final = 3
_COUNTS: Final = (300, 1300)
_QUICK_COUNTS: Final = (100, 300)


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Count the instructions of each client, in turns."""
    few, many = _QUICK_COUNTS if quick else _COUNTS
    rounds = 1 if quick else _ROUNDS
    clients = QUICK if quick else ALL
    found: dict[str, list[int]] = {client.name: [] for client in clients}
    with FixedAnswer() as address:
        for turn in range(1, rounds + 1):
            for client in clients:
                arguments = ["-m", "benchmarks.cost.measured", client.name]
                less, more = (
                    instructions([*arguments, str(count), address.base_url])
                    for count in (few, many)
                )
                each = round((more - less) / (many - few))
                found[client.name].append(each)
                progress.say(f"cost, round {turn} of {rounds}, {client.name}: {each:,}")
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
