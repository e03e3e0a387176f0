"""The scenes: what the service is like, and the target. The same in real and simulated time.

Settings and changes are those of the sandbox. In all scenes up to 64 requests may be in flight.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from benchmarks.healthy.latencies import LogNormal, Tail, Uniform, drift
from benchmarks.service import Change
from benchmarks.terms import IN_FLIGHT
from restream_async.sandbox import Fault, Faults

Group: TypeAlias = Literal["plain", "tails", "changes", "errors", "busy", "rate"]
Busy: TypeAlias = Literal["thread", "processes"]

_USUAL: Final = 0.1
"""Seconds; the mean latency of most scenes."""
_LONG: Final = 3_000
"""Creations of a run in which something happens meanwhile."""
_RATED_LATENCY: Final = 0.05
_SLOW_RATE: Final = 2.0
"""Requests a second; the first wave of 64 is a large part of so few creations."""


@attrs.frozen(kw_only=True)
class Scene:
    """What the service is like.

    Attributes:
        name: in figures, and for the command line.
        title: for tables and plots.
        group: the kind of the scene.
        count: the number of creations.
        most: the target: time, as a multiple of that of a fixed 64, or of the ideal.
        settings: of the sandbox.
        changes: changes of its settings during the run.
        awaited: whether all are awaited at once, one call for each, instead of a bulk run.
        ensure: whether each is created only if it does not exist.
        busy: what competes with the client for the CPU; only in real time.
        noisy: whether the result is random, so that several runs are needed.

    """

    name: str
    title: str
    group: Group
    count: int
    most: float
    settings: Mapping[str, object]
    changes: Sequence[Change] = ()
    awaited: bool = False
    ensure: bool = False
    busy: Busy | None = None
    noisy: bool = True

    @property
    def is_real(self) -> bool:
        """Whether it is run in real time."""
        return self.group != "errors"

    @property
    def is_simulated(self) -> bool:
        """Whether it is run in simulated time."""
        return self.busy is None


@attrs.frozen(kw_only=True)
class RateScene(Scene):
    """A service with a rate limit.

    Attributes:
        rate: requests a second.
        burst: requests at once.
        most_posts: the target: requests to create, for each creation.

    """

    rate: float
    burst: int
    most_posts: float

    @property
    def ideal(self) -> float:
        """The shortest possible time in seconds."""
        return self.ideal_of(self.count)

    def ideal_of(self, count: int) -> float:
        """Return the shortest possible time of so many creations, in seconds."""
        return (count - self.burst) / self.rate + _RATED_LATENCY

    def later_posts(self, posts: float) -> float:
        """Return the posts after the first 64, for each creation that the burst did not take.

        All of the first 64 may be on their way before the first 429 arrives. `posts` is of all
        posts, for each creation.
        """
        wave = min(IN_FLIGHT, self.count)
        return (posts * self.count - wave) / (self.count - min(self.burst, wave))


def _latency(latency: object, **more: object) -> Mapping[str, object]:
    return {"latency": latency, **more}


def _plain() -> Iterator[Scene]:
    for milliseconds, count in itertools.product((20, 100, 400), (50, 200, 1_000, 4_000)):
        yield Scene(
            name=f"plain-{milliseconds}-{count}",
            title=f"{milliseconds} ms, {count:,}",
            group="plain",
            count=count,
            most=1.15 if (milliseconds, count) == (20, 50) else 1.05,
            settings=_latency(Uniform(milliseconds / 1000)),
            noisy=False,
        )
    yield Scene(
        name="awaited",
        title="100 ms, 200 awaited at once",
        group="plain",
        count=200,
        most=1.05,
        settings=_latency(Uniform(_USUAL)),
        awaited=True,
        noisy=False,
    )


def _tails() -> Iterator[Scene]:
    latencies = {
        "log-normal": ("log-normal, median 80 ms, sigma 1", LogNormal(0.08, 1.0)),
        "tail-10": ("one in 10 is 15 times as slow", Tail(Uniform(_USUAL), 1 / 10, 15.0)),
        "tail-50": ("one in 50 is 40 times as slow", Tail(Uniform(_USUAL), 1 / 50, 40.0)),
    }
    for name, (title, latency) in latencies.items():
        yield Scene(
            name=name,
            title=title,
            group="tails",
            count=_LONG,
            most=1.05,
            settings=_latency(latency),
        )


def _changes() -> Iterator[Scene]:
    def scene(name: str, title: str, changes: Sequence[Change], mean: float = _USUAL) -> Scene:
        return Scene(
            name=name,
            title=title,
            group="changes",
            count=_LONG,
            most=1.08,
            settings=_latency(Uniform(mean)),
            changes=changes,
        )

    for times in (2.0, 2.5, 5.0):
        slower = (2.0, "latency", Uniform(_USUAL * times))
        title = f"{times:g} times as slow"
        yield scene(f"slower-{times:g}", f"{title} after 2 s", [slower])
        yield scene(
            f"while-{times:g}",
            f"{title} from 2 to 5 s",
            [slower, (5.0, "latency", Uniform(_USUAL))],
        )
        yield scene(
            f"drift-{times:g}",
            f"{title}, in a drift of 6 s",
            [*drift(_USUAL, times=times, seconds=6.0)],
        )
    yield scene(
        "quicker-3",
        "3 times as quick after 2 s",
        [(2.0, "latency", Uniform(_USUAL))],
        mean=3 * _USUAL,
    )


def _errors() -> Iterator[Scene]:
    lists = {"list_latency": _USUAL / 5}
    for share in (0.01, 0.05, 0.1):
        kinds = (Fault.INTERNAL_ERROR, Fault.BACKEND_FETCH_FAILED)
        faults = Faults(before=dict.fromkeys(kinds, share / len(kinds)), retry_after=None)
        yield Scene(
            name=f"errors-{100 * share:g}",
            title=f"{100 * share:g} % random 500s and 503s",
            group="errors",
            count=_LONG,
            most=1.10,
            settings=_latency(Uniform(_USUAL), faults=faults, **lists),
        )
    yield Scene(
        name="ensure",
        title="checked first, checks 5 times as quick",
        group="errors",
        count=1_000,
        most=1.10,
        settings=_latency(Uniform(_USUAL), **lists),
        ensure=True,
    )


def _busy() -> Iterator[Scene]:
    kinds: Mapping[Busy, str] = {
        "thread": "a thread of this process computes",
        "processes": "a process for each CPU computes",
    }
    for busy, title in kinds.items():
        yield Scene(
            name=f"busy-{busy}",
            title=f"100 ms, 1,000, {title}",
            group="busy",
            count=1_000,
            most=1.10,
            settings=_latency(Uniform(_USUAL)),
            busy=busy,
        )


def _rates() -> Iterator[Scene]:
    counts = {60.0: 700, 8.0: 500, 2.0: 200, 0.5: 150}
    headers = {"exact": "true Retry-After", "60": "Retry-After: 60", None: "no Retry-After"}
    for (rate, count), (header, saying) in itertools.product(counts.items(), headers.items()):
        yield RateScene(
            name=f"rate-{rate:g}-{header or 'none'}",
            title=f"{rate:g} a second, {saying}",
            group="rate",
            count=count,
            most=1.15,
            rate=rate,
            burst=max(1, int(rate)),
            most_posts=1.3 if rate <= _SLOW_RATE else 1.1,
            settings=_latency(_RATED_LATENCY, rate_limit=rate, rate_limit_retry_after=header),
        )


ALL: Final[Sequence[Scene]] = (
    *_plain(),
    *_tails(),
    *_changes(),
    *_errors(),
    *_busy(),
    *_rates(),
)


def scenes_named(beginnings: Sequence[str]) -> Sequence[Scene]:
    """Return the scenes whose names begin so; all of them where nothing is named."""
    return [scene for scene in ALL if not beginnings or scene.name.startswith(tuple(beginnings))]
