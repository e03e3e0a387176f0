import asyncio
import functools
import sys
import time
from collections.abc import Coroutine
from typing import Any

import attrs
import pytest

from benchmarks.fleet import __main__ as program
from benchmarks.fleet.arithmetic import jain, peak, rates, settled
from benchmarks.fleet.results import typical
from benchmarks.fleet.scenes import QUEUES, SHEDS, TOGETHER
from benchmarks.fleet.service import WIRE, Service, Wire
from benchmarks.fleet.simulation import simulate
from benchmarks.fleet.targets import Target
from benchmarks.inputs import restreams
from benchmarks.suite import Figures
from restream_async._http.api import Api
from restream_async._http.messages import Request, Response
from tests.helpers.simulated_time import now, simulated

_CLIENTS = 60
_SMALL = {
    scene.name: scene
    for scene in (
        attrs.evolve(TOGETHER, clients=_CLIENTS, usual=(5.0, 15.0), outage=(15.0, 30.0), end=45.0),
        attrs.evolve(SHEDS, clients=_CLIENTS, outage=None, end=30.0),
        attrs.evolve(QUEUES, clients=_CLIENTS, end=30.0),
    )
}


@pytest.mark.parametrize(
    ("shares", "index"), [([5, 5, 5, 5], 1.0), ([8, 0, 0, 0], 0.25), ([1, 3], 0.8), ([0, 0], 1.0)]
)
def test_fairness_is_one_where_all_have_the_same(shares: list[float], index: float) -> None:
    assert jain(shares) == pytest.approx(index)


def test_rates_are_by_the_second_in_each_step() -> None:
    assert rates([0.1, 0.2, 0.6, 1.9, 2.5], end=2.0, step=0.5) == [4.0, 2.0, 0.0, 2.0]


def test_a_peak_is_found_wherever_it_lies() -> None:
    assert peak([0.0, 0.9, 1.0, 1.1, 1.85, 5.0], width=1.0) == 4.0
    assert peak([0.0, 0.9, 1.0, 1.1, 1.85, 5.0], width=0.25) == 12.0


def test_a_peak_does_not_count_events_outside_its_width() -> None:
    assert peak([1.0, 2.0], width=1.0) == 1.0


def test_it_is_settled_when_the_rate_is_back() -> None:
    rate = [100.0, 100.0, 0.0, 0.0, 40.0, 95.0, 100.0]
    assert settled(rate, step=0.5, start=1.5, goal=90.0) == 1.5
    assert settled(rate, step=0.5, start=1.5, goal=101.0) is None


def test_simulated_time_passes_at_once_and_in_order() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, now()))

    async def sleepers() -> None:
        await asyncio.gather(sleeper("later", 3600.0), sleeper("sooner", 60.0))

    began = time.monotonic()
    simulated(sleepers)()

    assert woken == [("sooner", 60.0), ("later", 3600.0)]
    assert time.monotonic() - began < 10.0


def test_a_simulation_in_which_nothing_can_happen_any_more_ends() -> None:
    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        simulated(waits)()


def _service(*, queue: int | None = 1, latency: float = 0.5, chance: float = 0.5) -> Service:
    return Service(
        loop=asyncio.get_running_loop(),
        slots=1,
        queue=queue,
        latency=latency,
        spread=0.5,
        random=lambda: chance,
    )


def _creation() -> Request:
    return Api("p1").create(next(restreams()))


def _at(moment: float, status: int) -> tuple[int, float]:
    return status, round(moment, 6)


async def _answered(answer: Coroutine[Any, Any, Any]) -> tuple[int, float]:
    reply = await answer
    assert isinstance(reply, Response)
    return _at(now(), reply.status)


async def _one_by_one(wire: Wire, count: int) -> list[tuple[int, float]]:
    """Send as many, each a millisecond after the other; return how and when they were answered."""

    async def send(number: int) -> tuple[int, float]:
        await asyncio.sleep(number / 1000)
        return await _answered(wire.send(_creation(), 30.0))

    return await asyncio.gather(*map(send, range(count)))


@simulated
async def test_request_and_response_each_take_half_of_the_round_trip() -> None:
    service = _service()

    assert await _answered(Wire(service).send(_creation(), 30.0)) == _at(0.5 + WIRE, 201)
    assert service.arrived == [pytest.approx(WIRE / 2)]


@pytest.mark.parametrize(("chance", "work", "way"), [(0.0, 0.25, 0.0025), (1.0, 0.75, 0.0075)])
def test_work_and_ways_vary(chance: float, work: float, way: float) -> None:
    @simulated
    async def varies() -> None:
        service = _service(chance=chance)
        assert await _answered(Wire(service).send(_creation(), 30.0)) == _at(work + 2 * way, 201)
        assert service.arrived == [pytest.approx(way)]

    varies()


@simulated
async def test_a_request_without_a_slot_or_room_in_the_queue_is_refused_at_once() -> None:
    wire = Wire(_service())

    assert await _one_by_one(wire, 3) == [
        _at(0.5 + WIRE, 201),
        _at(1.0 + WIRE, 201),
        _at(0.002 + WIRE, 503),
    ]
    assert wire.created == [pytest.approx(0.5 + WIRE), pytest.approx(1.0 + WIRE)]
    assert wire.latencies == [pytest.approx(0.5 + WIRE), pytest.approx(0.999 + WIRE)]


@simulated
async def test_a_slot_is_free_again_as_soon_as_the_work_is_done() -> None:
    service = _service(queue=0)
    wire = Wire(service)

    async def later(seconds: float) -> tuple[int, float]:
        await asyncio.sleep(seconds)
        return await _answered(wire.send(_creation(), 30.0))

    answers = await asyncio.gather(*map(later, (0.0, 0.499, 0.501)))
    assert answers == [
        _at(0.5 + WIRE, 201), _at(0.499 + WIRE, 503), _at(1.001 + WIRE, 201),
    ]  # fmt: skip


@simulated
async def test_a_queue_without_a_limit_takes_all() -> None:
    answers = await _one_by_one(Wire(_service(queue=None)), 50)

    assert answers == [_at(0.5 * number + WIRE, 201) for number in range(1, 51)]


@simulated
async def test_an_outage_refuses_all_requests_that_are_not_served_yet() -> None:
    service = _service()
    wire = Wire(service)
    begun = asyncio.create_task(_answered(wire.send(_creation(), 30.0)))
    await asyncio.sleep(0.1)

    service.start_outage()
    assert await _answered(wire.send(_creation(), 30.0)) == _at(0.1 + WIRE, 503)
    assert await _answered(wire.send(Api("p1").list("v1"), 30.0)) == _at(0.1 + 2 * WIRE, 503)
    assert await begun == _at(0.5 + WIRE, 201)

    service.end_outage()
    assert await _answered(wire.send(Api("p1").list("v1"), 30.0)) == _at(0.5 + 2 * WIRE, 200)
    assert len(service.arrived) == 4, "existence checks count as well"


@simulated
async def test_for_clients_that_have_left_work_is_finished_but_not_started() -> None:
    wire = Wire(_service(queue=2))
    tasks: list[asyncio.Task[tuple[int, float]]] = []
    for _ in range(3):
        tasks.append(asyncio.create_task(_answered(wire.send(_creation(), 30.0))))
        await asyncio.sleep(0.1)
    working, waiting, last = tasks
    working.cancel()
    waiting.cancel()

    assert await last == _at(1.0 + WIRE, 201)


@simulated
async def test_an_answer_that_no_client_would_wait_for_ends_the_simulation() -> None:
    with pytest.raises(AssertionError, match="longer than clients wait"):
        await Wire(_service(latency=31.0)).send(_creation(), 30.0)


@functools.cache
def _figures(name: str) -> Figures:
    return simulate(_SMALL[name], seed=1)


# Not the targets themselves: a small fleet varies more, and so does one run.
@pytest.mark.parametrize(
    ("name", "figure", "bound"),
    [
        ("together", "goodput", Target(at_least=0.95)),
        # Each refusal of the first wave costs a check.
        ("together", "requests", Target(at_most=1.8)),
        ("together", "fairness", Target(at_least=0.55)),
        ("together", "peak_before", Target(at_most=2.8)),
        ("together", "peak_after", Target(at_most=3.0)),
        ("together", "recovery_seconds", Target(at_most=7.0)),
        ("together", "fairness_after", Target(at_least=0.55)),
        ("sheds", "goodput", Target(at_least=0.95)),
        ("sheds", "requests", Target(at_most=1.25)),
        # In lock-step those who came early are never refused, and cannot know of the others.
        ("sheds", "fairness", Target(at_least=0.15)),
        ("queues", "goodput", Target(at_least=0.95)),
        # The first waves of all fill the queue for 8 s, and have to be gone soon after.
        ("queues", "latency", Target(at_most=5.0)),
        ("queues", "fairness", Target(at_least=0.5)),
    ],
)
def test_a_small_fleet_stays_near_the_targets(name: str, figure: str, bound: Target) -> None:
    value = _figures(name)[figure]
    assert bound.met(value), f"{value:.3f} is not {bound}"


def test_a_service_in_an_outage_gets_few_requests() -> None:
    figures = _figures("together")
    # Half seconds; in the first three, the service finishes what it works on and what is queued.
    gone = range(33, 60)

    assert not any(figures["created"][number] for number in gone)
    assert figures["asked_while_gone"] < figures["capacity"] / 4


def test_the_same_seed_gives_the_same_fleet() -> None:
    scene = attrs.evolve(SHEDS, clients=2, spread=0.5)
    assert simulate(scene, seed=7) == simulate(scene, seed=7)
    assert simulate(scene, seed=7)["created"] != simulate(scene, seed=8)["created"]


def test_the_typical_run_has_the_median_of_each_figure() -> None:
    def run(goodput: float, recovery: float | None, shares: list[float]) -> Figures:
        return {"seed": 1, "goodput": goodput, "recovery_seconds": recovery, "shares": shares}

    runs = [run(0.9, None, [1, 2, 3]), run(0.8, 5.0, [2, 1, 5]), run(1.0, None, [3, 3, 4])]

    assert typical(runs) == run(0.9, None, [2, 2, 4])
    assert typical(runs[:2])["recovery_seconds"] is None


@pytest.mark.parametrize(
    ("target", "met", "missed", "shown"),
    [
        (Target(at_least=0.95), 0.94999, 0.949, "≥ 0.95"),
        (Target(at_most=1.5), 1.50001, 1.501, "≤ 1.5"),
        (Target(at_most=5.0), 5.0, None, "≤ 5"),
    ],
)
def test_a_target_is_met_to_four_places(
    target: Target, met: float, missed: float | None, shown: str
) -> None:
    assert target.met(met)
    assert not target.met(missed)
    assert str(target) == shown


def test_the_program_prints_the_table_of_a_scene_and_tells_the_runs_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["fleet", "queues", "--clients", "2", "--spread", "0.2", "--seed", "1", "2"]
    )
    program.main()

    printed = capsys.readouterr().out
    assert "2 clients on paper, one by one, it queues; one service for 16 a second." in printed
    assert [cell.strip() for cell in printed.splitlines()[2].split("|")[1:-1]] == [
        "queues", "target", "seed 1", "seed 2", "median",
    ]  # fmt: skip


def test_an_unknown_scene_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fleet", "togehter"])
    with pytest.raises(SystemExit):
        program.main()
    assert "no such scene: togehter" in capsys.readouterr().err
