"""The scenes of a fleet of clients. No client knows the capacity of the service.

The service works on four creations of each client at once, each for half a second on average, so
the fair share of each client is eight a second. It refuses requests at once.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from benchmarks.fleet.targets import Target

SLOTS_EACH: Final = 4
"""How many creations of each client the service works on at once."""
LATENCY: Final = 0.5
"""Seconds that a creation takes, on average."""
WELL: Final = 0.9
"""The share of the capacity at which the service is back at work after an outage."""
CEILING: Final = 64
"""How many requests each client may have in flight."""

_USUAL: Final = (10.0, 30.0)
_OUTAGE: Final = (30.0, 50.0)


@attrs.frozen(kw_only=True)
class Scene:
    """What happens to a fleet. Moments are seconds after the start.

    Attributes:
        name: in figures, and for the command line.
        title: for tables and plots.
        clients: the number of clients.
        start_within: each starts at a random moment within so many seconds.
        spread: how much longer or shorter a creation takes, at most, as a share of `LATENCY`.
            With 0, clients that start together stay in step for ever.
        queue: how many creations of each client may wait at the service; None: no limit.
        usual: the start and end of the measurement of usual operation.
        outage: its start and end; all requests get a 503 meanwhile. None: there is none.
        end: of the scene.
        runs: how often the suite simulates it, with other seeds.
        targets: by the name of the figure.

    """

    name: str
    title: str
    clients: int
    start_within: float = 0.0
    spread: float = 0.0
    queue: int | None = SLOTS_EACH
    usual: tuple[float, float] = _USUAL
    outage: tuple[float, float] | None = _OUTAGE
    end: float = 80.0
    runs: int = 3
    targets: Mapping[str, Target]


# With so few clients, chance alone makes peaks of nearly 1.5 times the capacity.
_PEAK_OF_FEW: Final = Target(at_most=2.0)

TOGETHER: Final = Scene(
    name="together",
    title="all start together",
    clients=1000,
    spread=0.5,
    runs=1,
    targets={
        "goodput": Target(at_least=0.95),
        "fairness": Target(at_least=0.6),
        "peak_before": Target(at_most=1.5),
        "peak_after": Target(at_most=1.5),
    },
)
TOGETHER_SMALL: Final = attrs.evolve(
    TOGETHER,
    name="together-small",
    clients=100,
    runs=3,
    targets={**TOGETHER.targets, "peak_before": _PEAK_OF_FEW, "peak_after": _PEAK_OF_FEW},
)
SHEDS: Final = Scene(
    name="sheds",
    title="one by one, it sheds",
    clients=100,
    start_within=5.0,
    targets={"fairness": Target(at_least=0.61), "requests": Target(at_most=1.16)},
)
QUEUES: Final = Scene(
    name="queues",
    title="one by one, it queues",
    clients=100,
    start_within=5.0,
    queue=None,
    outage=None,
    end=60.0,
    targets={"latency": Target(at_most=5.0)},
)
OF_SUITE: Final = (TOGETHER, SHEDS, QUEUES)
ALL: Final = (TOGETHER, TOGETHER_SMALL, SHEDS, QUEUES)
