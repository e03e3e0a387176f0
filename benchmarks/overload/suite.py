"""How soon a big run is done when the service is the bottleneck, and what the service has to bear.

The service is a sandbox in a process of its own. The same creations are made by this library, by
aiohttp with tenacity, and, where there is such a number, by the latter with just as many in flight
as keep the service busy: the best that can be had on this machine, by somebody who knows.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from benchmarks import contestants, deadline, progress
from benchmarks.account import Account
from benchmarks.contestants import OTHERS, OURS, Run, ours, pooled
from benchmarks.inputs import restreams
from benchmarks.overload import plot, results
from benchmarks.overload.outcome import Outcome
from benchmarks.overload.results import KNOWING
from benchmarks.overload.scenes import ALL, SHEDS, UNLOADED, Scene
from benchmarks.overload.watch import Watch
from benchmarks.service import Service
from benchmarks.suite import Figures, Suite
from benchmarks.terms import Terms

_ROUNDS: Final = 3
_PATIENCE: Final = 300.0
"""Seconds for one run: the longest takes 40 s."""

_Entry: TypeAlias = tuple[Callable[[Terms], Run], Terms]


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Let the contestants through all scenes, in turns."""
    scenes = [SHEDS] if quick else ALL
    rounds = 1 if quick else _ROUNDS
    found: dict[str, dict[str, list[Outcome]]] = {scene.name: {} for scene in scenes}
    unloaded: list[float] = []
    for turn in range(1, rounds + 1):
        unloaded.append(_run(UNLOADED, (_naive, UNLOADED.terms), turn).latency)
        for scene in scenes:
            for name, entry in _entries(scene).items():
                outcome = _run(scene, entry, turn)
                found[scene.name].setdefault(name, []).append(outcome)
                progress.say(
                    f"overload, round {turn} of {rounds}, {scene.name}, {name}: "
                    f"{outcome.seconds:.1f} s, {outcome.posts:.3f} posts, {outcome.failed} failed, "
                    f"{outcome.latency:.3f} s an answer"
                )
    return {"unloaded_seconds": unloaded, "scenes": _plain(found)}


def _entries(scene: Scene) -> Mapping[str, _Entry]:
    entries: dict[str, _Entry] = {
        OURS.name: (ours, scene.terms),
        OTHERS[0].name: (_naive, scene.terms),
    }
    if scene.known is not None:
        entries[KNOWING] = (_naive, attrs.evolve(scene.terms, in_flight=scene.known))
    return entries


def _naive(terms: Terms) -> Run:
    return pooled(contestants.aiohttp_with_tenacity, terms)


def _run(scene: Scene, entry: _Entry, seed: int) -> Outcome:
    make, terms = entry
    account = Account()
    with Service(faults=scene.faults, seed=seed, **scene.settings) as service:
        service.begin(scene.changes)
        watch = Watch()
        run = make(attrs.evolve(terms, traces=(watch.trace(),)))
        deadline.run(run(service.address, restreams(scene.count), account), _PATIENCE)
        seconds = watch.seconds
        books = service.books()
    return Outcome.of(account, watch.answers, books, seconds)


def _plain(found: Mapping[str, Mapping[str, list[Outcome]]]) -> Figures:
    return {
        scene.name: {
            "creations": scene.count,
            "in_flight": scene.terms.in_flight,
            "ideal_seconds": scene.ideal,
            "outcomes": {
                name: [attrs.asdict(outcome) for outcome in outcomes]
                for name, outcomes in found[scene.name].items()
            },
        }
        for scene in ALL
        if scene.name in found
    }


SUITE: Final = Suite(
    name="overload",
    packages=(*OURS.packages, *OTHERS[0].packages),
    measure=measure,
    text=results.text,
    summary=results.summary,
    draw=plot.draw,
)
