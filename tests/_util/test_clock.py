import asyncio
import time

from restream_async._util.clock import Clock


def test_deadlines_are_measured_on_a_clock_that_cannot_be_set() -> None:
    before = time.monotonic()
    assert before <= Clock().now() <= time.monotonic()


def test_dates_are_measured_on_the_clock_on_the_wall() -> None:
    assert abs(Clock().wall_clock() - time.time()) < 60


def test_random_numbers_are_spread_between_0_and_1() -> None:
    chances = [Clock().random() for _ in range(200)]
    assert all(0 <= chance < 1 for chance in chances)
    assert min(chances) < 0.25
    assert max(chances) > 0.75


async def test_sleeping_lets_others_work() -> None:
    worked: list[str] = []

    async def work() -> None:
        worked.append("done")

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        await Clock().sleep(0)
        assert worked == ["done"]
