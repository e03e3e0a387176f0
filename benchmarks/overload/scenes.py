"""The scenes: what happens to the service, and the shortest possible time.

The service works on 16 creations at once, each for 50 ms: 320 a second.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from benchmarks.service import Change
from benchmarks.terms import Terms
from restream_async.sandbox import Fault, Faults

LATENCY: Final = 0.05
"""Seconds that a creation takes a service with nothing else to do."""

_SLOTS: Final = 16
_COUNT: Final = 4000
_TERMS: Final = Terms(in_flight=256, timeout=2.0)
_PLAIN: Final = Faults(retry_after=None)
_FREE: Final[Mapping[str, object]] = {"latency": LATENCY}
_SHEDDING: Final[Mapping[str, object]] = {**_FREE, "capacity": _SLOTS, "queue": _SLOTS}
_QUEUEING: Final[Mapping[str, object]] = {**_FREE, "capacity": _SLOTS, "queue": None}


@attrs.frozen(kw_only=True)
class Scene:
    """What happens to the service during a run.

    Attributes:
        name: in figures.
        title: for tables and plots.
        count: how many are to be created.
        ideal: the shortest possible time in seconds.
        terms: the settings of the clients.
        faults: what goes wrong independently of the load.
        settings: of the sandbox.
        changes: changes of its settings during the run.
        most_time: the target of the time, as a multiple of the ideal.
        most_posts: the target of requests to create, per creation.
        known: the requests in flight that keep it busy and are never shed; None: there is no such
            number.

    """

    name: str
    title: str
    count: int = _COUNT
    ideal: float = _COUNT * LATENCY / _SLOTS
    terms: Terms = _TERMS
    faults: Faults = _PLAIN
    settings: Mapping[str, object] = _SHEDDING
    changes: tuple[Change, ...] = ()
    most_time: float = 1.05
    most_posts: float = 1.02
    known: int | None = _SLOTS + _SLOTS // 2

    @property
    def queues(self) -> bool:
        """Whether the service queues what it cannot take, instead of shedding it."""
        return self.settings is _QUEUEING


SHEDS: Final = Scene(name="sheds", title="it sheds")
ALL: Final = (
    SHEDS,
    Scene(
        name="retry-after",
        title="it sheds, Retry-After: 5",
        faults=Faults(retry_after="5"),
    ),
    Scene(
        name="halves",
        title="it sheds, halved 4 to 10 s",
        # 1,280 before the change, 960 with half of the capacity, the others with all of it.
        ideal=4 + 6 + (_COUNT - 1280 - 960) * LATENCY / _SLOTS,
        changes=((4.0, "capacity", _SLOTS // 2), (10.0, "capacity", _SLOTS)),
        most_time=1.08,
        most_posts=1.03,
    ),
    Scene(name="queues", title="it queues", settings=_QUEUEING),
    Scene(
        name="queues-long",
        title="it queues, 1,024 allowed",
        terms=Terms(in_flight=1024, timeout=2.0),
        settings=_QUEUEING,
    ),
    Scene(
        name="gone",
        title="it sheds, gone 4 to 24 s",
        ideal=20 + _COUNT * LATENCY / _SLOTS,
        changes=((4.0, "outage", True), (24.0, "outage", False)),
        most_time=1.15,
        known=None,
    ),
    Scene(
        name="noise",
        title="no load, 1 % random 500s",
        # As many a second as in all other scenes, because the clients may not send more.
        terms=Terms(in_flight=_SLOTS, timeout=2.0),
        faults=Faults(before={Fault.INTERNAL_ERROR: 0.01}),
        settings=_FREE,
        known=_SLOTS,
    ),
)
UNLOADED: Final = Scene(
    name="unloaded",
    title="one at a time",
    count=40,
    ideal=40 * LATENCY,
    terms=Terms(in_flight=1, timeout=2.0),
    known=None,
)
