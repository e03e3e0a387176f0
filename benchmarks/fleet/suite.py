"""Whether a thousand clients share a service well that none of them knows the size of.

Each client is what a `RestreamClient` is made of, with its own limit, budget and watch for outages,
and an endless bulk run; only the network and the time are simulated. They begin at random moments,
and know nothing of each other. In the middle the service is gone for a while.
"""

import asyncio
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks import progress
from benchmarks.drawing import OURS, THEIRS
from benchmarks.fleet.figures import jain, peak, rates, settled
from benchmarks.fleet.service import Service, Wire
from benchmarks.fleet.simulated_time import now, run
from benchmarks.lines import Chart, Line, draw
from benchmarks.suite import Figures, Suite
from benchmarks.tables import table
from restream_async import NewRestream, RetryPolicy
from restream_async.bulk import BulkRun
from restream_async.calls import Caller
from restream_async.creation import Creator
from restream_async.gate import Gate
from restream_async.timing import Timing
from restream_async.wire import Api

_CLIENTS: Final = 1_000
_QUICK_CLIENTS: Final = 100
_SLOTS_EACH: Final = 4
_LATENCY: Final = 0.5
_SEED: Final = 1

# Seconds: all have begun, what counts as the usual, gone, back, the end.
_BEGUN: Final = 5.0
_USUAL: Final = 10.0
_GONE: Final = 30.0
_BACK: Final = 50.0
_END: Final = 80.0

_STEP: Final = 0.5
_WELL: Final = 0.9
"""Of the capacity: then the service is back at work."""


def measure(quick: bool) -> Figures:  # noqa: FBT001 - the one question of all suites
    """Simulate them."""
    clients = _QUICK_CLIENTS if quick else _CLIENTS
    slots = clients * _SLOTS_EACH
    service = Service(slots=slots, queue=slots, latency=_LATENCY)
    wires = [Wire(service) for _ in range(clients)]
    run(_simulate(service, wires))
    return _figures(service, wires)


async def _simulate(service: Service, wires: list[Wire]) -> None:
    chance = random.Random(_SEED)
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
    caller = Caller(
        exchange=wire,
        gate=Gate.learning(64, 300.0, timing),
        policy=RetryPolicy(),
        timing=timing,
        timeout=30.0,
        secrets=(),
    )
    try:
        async with BulkRun(caller, api, Creator(caller, api, "confirm"), _endless()) as creations:
            async for _ in creations:
                pass
    finally:
        await caller.gate.close()


def _endless() -> Iterator[NewRestream]:
    for number in count():
        yield NewRestream(
            video_id="v1",
            title="YouTube",
            stream_url="rtmps://a.rtmps.youtube.com/live2",
            stream_key=f"key-{number}",
            status=True,
        )


def _figures(service: Service, wires: list[Wire]) -> Figures:
    created = [moment for wire in wires for moment in wire.created]
    usual = [sum(_USUAL <= moment < _GONE for moment in wire.created) for wire in wires]
    after = [sum(moment >= _BACK for moment in wire.created) for wire in wires]
    asked = [moment for moment in service.arrived if moment >= _BACK]
    done = rates(created, _END, _STEP)
    capacity = service.capacity
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
        "fairness_after": jain(after),
        "peak_after": {f"{width:g}": peak(asked, width) / capacity for width in (0.1, 1.0)},
        "asked_while_gone": sum(_GONE + 5 <= moment < _BACK for moment in service.arrived)
        / (_BACK - _GONE - 5),
        "recovery_seconds": settled(done, _STEP, _BACK, _WELL * capacity),
    }


def text(figures: Figures) -> str:
    """Return a table."""
    recovery = figures["recovery_seconds"]
    rows = [
        ["creations, of the capacity", f"{figures['goodput']:.3f}"],
        ["requests for each creation", f"{figures['requests']:.3f}"],
        ["fairness (Jain's index)", f"{figures['fairness']:.3f}"],
        ["requests while it is gone, a second", f"{figures['asked_while_gone']:,.0f}"],
        ["most requests in 1 s after, of the capacity", f"{figures['peak_after']['1']:.2f}"],
        ["most requests in 0.1 s after, of the capacity", f"{figures['peak_after']['0.1']:.2f}"],
        [
            f"seconds until {_WELL:.0%} of the capacity is used again",
            "never" if recovery is None else f"{recovery:.1f}",
        ],
        ["fairness after", f"{figures['fairness_after']:.3f}"],
    ]
    heading = (
        f"{figures['clients']:,} clients on paper, one service for {figures['capacity']:,.0f} a "
        f"second, gone from {_GONE:.0f} s to {_BACK:.0f} s."
    )
    return f"{heading}\n\n{table(('', 'measured'), rows)}"


def plot(figures: Figures, folder: Path) -> None:
    """Draw what happened by the second."""
    step, capacity = figures["step"], figures["capacity"]
    moments = [number * step + step / 2 for number in range(len(figures["created"]))]

    def relative(name: str) -> list[float]:
        return [rate / capacity for rate in figures[name]]

    draw(
        folder / "fleet.svg",
        title=f"{figures['clients']:,} clients share a service that none of them knows",
        subtitle=f"A second, as a multiple of what the service can do; Jain's index of fairness "
        f"{figures['fairness']:.2f}",
        charts=[
            Chart(
                title="",
                lines=[
                    Line(moments, relative("arrived"), label="requests", colour=THEIRS),
                    Line(moments, relative("created"), label="creations", colour=OURS),
                ],
                top=max(1.2, *relative("arrived")) * 1.05,
                level=(1.0, "capacity"),
                band=(_GONE, _BACK, "the service is gone"),
                bottom_label="seconds",
            )
        ],
    )


SUITE: Final = Suite(
    name="fleet",
    packages=("restream-async",),
    measure=measure,
    text=text,
    draw=plot,
)
