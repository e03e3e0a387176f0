"""Many clients of one service, in simulated time.

Each client is what a `RestreamClient` is made of, with its own limit, budget and circuit breaker,
and an endless bulk run. Only the network and the time are simulated. Clients know nothing of each
other.
"""

import asyncio
import gc
import random
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from os import cpu_count
from statistics import mean, median, quantiles
from typing import Final

from benchmarks import progress
from benchmarks.fleet.arithmetic import jain, peak, rates, settled
from benchmarks.fleet.scenes import CEILING, LATENCY, SLOTS_EACH, WELL, Scene
from benchmarks.fleet.service import WIRE, Service, Wire
from benchmarks.inputs import restreams
from benchmarks.suite import Figures
from restream_async import NewRestream, RetryPolicy
from restream_async._bulk.run import BulkRun
from restream_async._http.api import Api
from restream_async._operations.create import Creator
from restream_async._retry.executor import RequestExecutor
from restream_async._util.clock import Clock
from tests.helpers.simulated_time import simulated

_STEP: Final = 0.5
_REPORT: Final = 20
"""Seconds of simulated time between two reports of progress."""
_PARTS: Final = 20
_BRIEF: Final = 0.1
_LATE: Final = 20.0
"""The last seconds of a scene."""
# Fewer garbage collections: a simulation makes millions of objects and few cycles.
_OBJECTS: Final = 200_000


def simulate_all(scenes: Sequence[Scene], seeds: Sequence[int]) -> list[Figures]:
    """Simulate so many scenes, each with its seed, on all processors; return what came of each."""
    with ProcessPoolExecutor(min(len(scenes), cpu_count() or 1)) as pool:
        return list(pool.map(simulate, scenes, seeds))


def simulate(scene: Scene, seed: int) -> Figures:
    """Let the clients of a scene share a service that is large enough for four of each."""
    wires: list[Wire] = []
    with _rare_collections():
        _simulate(scene, wires, seed)
    return {"seed": seed, **_figures(scene, wires)}


@contextmanager
def _rare_collections() -> Generator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@simulated
async def _simulate(scene: Scene, wires: list[Wire], seed: int) -> None:
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    service = Service(
        loop=loop,
        slots=scene.clients * SLOTS_EACH,
        queue=None if scene.queue is None else scene.clients * scene.queue,
        latency=LATENCY,
        spread=scene.spread,
        random=random.Random(chance.getrandbits(32)).random,
    )
    wires.extend(Wire(service) for _ in range(scene.clients))
    if scene.outage is not None:
        start, end = scene.outage
        loop.call_later(start, service.start_outage)
        loop.call_later(end, service.end_outage)
    for second in range(_REPORT, int(scene.end) + 1, _REPORT):
        line = f"fleet, {scene.name}, {second} s of {scene.end:.0f} s simulated"
        loop.call_later(second, progress.log, line)
    inputs = _Inputs()
    tasks = [
        asyncio.create_task(
            _client(wire, inputs, chance.uniform(0.0, scene.start_within), chance.getrandbits(32))
        )
        for wire in wires
    ]
    await asyncio.sleep(scene.end)
    for task in tasks:
        # The runs are endless, so a task that has ended has failed.
        if task.done():
            task.result()
            raise AssertionError("an endless run has ended")
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Inputs:
    """Endless restreams to create: the same for all clients, so made only once."""

    def __init__(self) -> None:
        self._made: list[NewRestream] = []
        self._others = restreams()

    def __iter__(self) -> Iterator[NewRestream]:
        made = self._made
        number = 0
        while True:
            if number == len(made):
                made.append(next(self._others))
            yield made[number]
            number += 1


async def _client(wire: Wire, inputs: _Inputs, begins: float, seed: int) -> None:
    """Create without end, as a `RestreamClient` does with its defaults."""
    await asyncio.sleep(begins)
    now = asyncio.get_running_loop().time
    clock = Clock(
        now=now,
        cpu_time=lambda: 0.0,
        wall_clock=now,
        sleep=asyncio.sleep,
        random=random.Random(seed).random,
    )
    api = Api("p1")
    executor = RequestExecutor.adaptive(
        wire,
        ceiling=CEILING,
        patience=300.0,
        policy=RetryPolicy(),
        clock=clock,
        timeout=30.0,
    )
    try:
        async with BulkRun(
            executor, api, Creator(executor, api, "confirm"), iter(inputs)
        ) as creations:
            async for _ in creations:
                pass
    finally:
        await executor.limiter.close()


def _figures(scene: Scene, wires: list[Wire]) -> Figures:
    service = wires[0].service
    arrived = service.arrived
    created = [moment for wire in wires for moment in wire.created]
    capacity = scene.clients * SLOTS_EACH / LATENCY
    start, end = scene.usual
    usual = [sum(start <= moment < end for moment in wire.created) for wire in wires]
    before = scene.end if scene.outage is None else scene.outage[0]
    parts = quantiles(usual, n=_PARTS)
    return {
        "clients": scene.clients,
        "capacity": capacity,
        "gone": scene.outage,
        "step": _STEP,
        "arrived": rates(arrived, scene.end, _STEP),
        "created": rates(created, scene.end, _STEP),
        "goodput": sum(usual) / (end - start) / capacity,
        "requests": _each(arrived, created, start, end),
        "requests_late": _each(arrived, created, scene.end - _LATE, scene.end),
        "fairness": jain(usual),
        # The poorest 5 %, the middle and the richest 5 % begin here.
        "shares": [part / mean(usual) for part in (parts[0], parts[_PARTS // 2 - 1], parts[-1])],
        "latency": _latency(wires, start, end),
        "peak_before": _peak(arrived, scene.start_within + 1.0, before) / capacity,
        "post_peak_before": _peak(service.posts, scene.start_within + 1.0, before) / capacity,
        **_later(scene, wires, arrived, created, capacity),
    }


def _later(
    scene: Scene, wires: list[Wire], arrived: list[float], created: list[float], capacity: float
) -> Figures:
    """Return what an outage did; without one, whether latencies went on growing."""
    if scene.outage is None:
        return {"latency_late": _latency(wires, scene.end - _LATE, scene.end)}
    gone, back = scene.outage
    done = rates(created, scene.end, _STEP)
    # Some seconds after the start of the outage, all clients have noticed it.
    noticed = gone + 5.0
    return {
        "asked_while_gone": sum(noticed <= moment < back for moment in arrived) / (back - noticed),
        "peak_return": _peak(arrived, back, back + 1.0) / capacity,
        "peak_after": _peak(arrived, back + 1.0, scene.end) / capacity,
        "post_peak_after": _peak(wires[0].service.posts, back + 1.0, scene.end) / capacity,
        "recovery_seconds": settled(done, _STEP, back, WELL * capacity),
        "fairness_after": jain([sum(moment >= back for moment in wire.created) for wire in wires]),
    }


def _each(arrived: list[float], created: list[float], start: float, end: float) -> float:
    """Return the requests for each creation meanwhile."""
    requests, creations = (
        sum(start <= moment < end for moment in moments) for moments in (arrived, created)
    )
    return requests / creations


def _peak(arrived: list[float], start: float, end: float) -> float:
    return peak([moment for moment in arrived if start <= moment < end], _BRIEF)


def _latency(wires: list[Wire], start: float, end: float) -> float:
    """Return the median latency of the creations that were done meanwhile, times that of idle."""
    latencies = [
        latency
        for wire in wires
        for moment, latency in zip(wire.created, wire.latencies, strict=True)
        if start <= moment < end
    ]
    return median(latencies) / (LATENCY + WIRE)
