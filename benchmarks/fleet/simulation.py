"""A thousand clients of one service, in simulated time.

Each client is what a `RestreamClient` is made of, with its own limit, budget and watch for outages,
and an endless bulk run; only the network and the time are simulated. They begin at random moments,
and know nothing of each other. In the middle the service is gone for a while.
"""

import asyncio
import random
from statistics import mean, quantiles
from typing import Final

from benchmarks import progress
from benchmarks.fleet.arithmetic import jain, peak, rates, settled
from benchmarks.fleet.service import Service, Wire
from benchmarks.inputs import restreams
from benchmarks.suite import Figures
from restream_async import RetryPolicy
from restream_async.bulk import BulkRun
from restream_async.calls import Caller
from restream_async.creation import Creator
from restream_async.timing import Timing
from restream_async.wire import Api
from tests.unit.simulated_time import now, simulated

_SLOTS_EACH: Final = 4
_LATENCY: Final = 0.5

# Seconds: all have begun, what counts as the usual, gone, back, the end.
_BEGUN: Final = 5.0
_USUAL: Final = 10.0
_GONE: Final = 30.0
_BACK: Final = 50.0
_END: Final = 80.0

_STEP: Final = 0.5
_WELL: Final = 0.9
"""Of the capacity: then the service is back at work."""
_PARTS: Final = 20


def simulate(clients: int, seed: int) -> Figures:
    """Let so many share a service that is large enough for four requests of each."""
    slots = clients * _SLOTS_EACH
    service = Service(slots=slots, queue=slots, latency=_LATENCY)
    wires = [Wire(service) for _ in range(clients)]
    _simulate(service, wires, seed)
    return _figures(service, wires)


@simulated
async def _simulate(service: Service, wires: list[Wire], seed: int) -> None:
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    loop.call_later(_GONE, service.leave)
    loop.call_later(_BACK, service.come_back)
    for second in range(10, int(_END) + 1, 10):
        loop.call_later(second, progress.say, f"fleet, {second} s of {_END:.0f} s simulated")
    tasks = [
        asyncio.create_task(_client(wire, chance.uniform(0.0, _BEGUN), chance.getrandbits(32)))
        for wire in wires
    ]
    await asyncio.sleep(_END)
    for task in tasks:
        # None has come to its end: what did, has failed.
        if task.done():
            task.result()
            raise AssertionError("an endless run has ended")
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _client(wire: Wire, begins: float, seed: int) -> None:
    """Create without end, as a `RestreamClient` does with its defaults."""
    await asyncio.sleep(begins)
    timing = Timing(
        now=now,
        # What a thousand compute on one machine is no effort of any of them.
        computing=lambda: 0.0,
        wall_clock=now,
        sleep=asyncio.sleep,
        random=random.Random(seed).random,
    )
    api = Api("p1")
    caller = Caller.over(
        wire,
        ceiling=64,
        patience=300.0,
        policy=RetryPolicy(),
        timing=timing,
        timeout=30.0,
    )
    try:
        async with BulkRun(caller, api, Creator(caller, api, "confirm"), restreams()) as creations:
            async for _ in creations:
                pass
    finally:
        await caller.gate.close()


def _figures(service: Service, wires: list[Wire]) -> Figures:
    created = [moment for wire in wires for moment in wire.created]
    usual = [sum(_USUAL <= moment < _GONE for moment in wire.created) for wire in wires]
    after = [sum(moment >= _BACK for moment in wire.created) for wire in wires]
    asked = [moment for moment in service.arrived if moment >= _BACK]
    done = rates(created, _END, _STEP)
    capacity = service.capacity
    parts = quantiles(usual, n=_PARTS)
    return {
        "clients": len(wires),
        "capacity": capacity,
        "gone": [_GONE, _BACK],
        "step": _STEP,
        "arrived": rates(service.arrived, _END, _STEP),
        "created": done,
        "goodput": sum(usual) / (_GONE - _USUAL) / capacity,
        "requests": sum(_USUAL <= moment < _GONE for moment in service.arrived) / sum(usual),
        "fairness": jain(usual),
        # The poorest 5 %, the middle and the richest 5 % begin here.
        "shares": [part / mean(usual) for part in (parts[0], parts[_PARTS // 2 - 1], parts[-1])],
        "fairness_after": jain(after),
        "peak_after": {f"{width:g}": peak(asked, width) / capacity for width in (0.1, 1.0)},
        "asked_while_gone": sum(_GONE + 5 <= moment < _BACK for moment in service.arrived)
        / (_BACK - _GONE - 5),
        "recovered_at": _WELL,
        "recovery_seconds": settled(done, _STEP, _BACK, _WELL * capacity),
    }
