import asyncio
import time

import pytest

from benchmarks.fleet.arithmetic import jain, peak, rates, settled
from benchmarks.fleet.simulation import simulate
from tests.unit.simulated_time import now, simulated


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


def test_a_peak_does_not_count_what_is_a_whole_width_ago() -> None:
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

    async def program() -> None:
        await asyncio.gather(sleeper("later", 3600.0), sleeper("sooner", 60.0))

    began = time.monotonic()
    simulated(program)()

    assert woken == [("sooner", 60.0), ("later", 3600.0)]
    assert time.monotonic() - began < 10.0


def test_a_simulation_in_which_nothing_can_happen_any_more_ends() -> None:
    async def program() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        simulated(program)()


def test_a_small_fleet_uses_the_service_and_finds_back_after_an_outage() -> None:
    figures = simulate(clients=5, seed=1)

    assert figures["goodput"] > 0.8
    assert figures["requests"] < 1.5
    gone = range(62, 100)  # half seconds, and one second for what was under way
    assert not any(figures["created"][number] for number in gone)
    assert figures["asked_while_gone"] < figures["capacity"] / 4
    assert figures["recovery_seconds"] < 30


def test_the_same_seed_gives_the_same_fleet() -> None:
    assert simulate(clients=2, seed=7) == simulate(clients=2, seed=7)
