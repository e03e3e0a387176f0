"""The duration of a large run with an overloaded service, and the load on the service.

The service is a sandbox in a process of its own. This library and aiohttp with tenacity make the
same creations. A third contestant is aiohttp with tenacity with exactly as many requests in flight
as keep the service busy: the best possible result on this machine.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from benchmarks import contestants, deadline, progress
from benchmarks.contestants import OTHERS, OURS, Run, ours, pooled
from benchmarks.inputs import restreams
from benchmarks.overload import plot, results
from benchmarks.overload.outcome import Outcome
from benchmarks.overload.results import KNOWING
from benchmarks.overload.scenes import ALL, SHEDS, UNLOADED, Scene
from benchmarks.overload.watch import Watch
from benchmarks.run_report import RunReport
from benchmarks.service import Service
from benchmarks.suite import Figures, Suite
from benchmarks.terms import Terms

_ROUNDS: Final = 3
_TIMEOUT: Final = 300.0
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
                progress.log(
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
    run_report = RunReport()
    with Service(faults=scene.faults, seed=seed, **scene.settings) as service:
        service.schedule(scene.changes)
        watch = Watch()
        run = make(attrs.evolve(terms, traces=(watch.trace(),)))
        deadline.run(run(service.address, restreams(scene.count), run_report), _TIMEOUT)
        seconds = watch.seconds
        final = service.final_state()
    return Outcome.of(run_report, watch.answers, final, seconds)


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
