"""The cost of a creation on the side of the client, as a ratio to a bare loop around aiohttp.

Each client creates a few restreams and many, 32 at a time, in processes of their own under
callgrind. The difference is the cost of the creations without start-up. nginx is the service, so
that the service costs almost nothing and is never late. A busy machine does not change the
instructions: they repeat within 2 %. Only httpx varies by half, because it searches all its
connections again and again. The result is the median of three rounds.
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
                progress.log(f"cost, round {turn} of {rounds}, {client.name}: {each:,}")
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
