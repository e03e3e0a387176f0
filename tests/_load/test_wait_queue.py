"""The queue of a limiter, in simulated time."""

import asyncio

import pytest

from restream_async._load.wait_queue import GivenUpError, WaitQueue
from tests.helpers.limiter_steps import (
    fall,
    limiter_of,
)
from tests.helpers.simulated_time import simulated


@simulated
@pytest.mark.parametrize("woken", [False, True])
async def test_nothing_is_kept_of_a_request_that_waits_no_longer(*, woken: bool) -> None:
    queue = WaitQueue()
    turn = queue.add(first=False, ahead=False, patient=True)
    assert queue.has_patient
    if woken:
        queue.pop()
    queue.discard(turn)
    assert (len(queue), queue.has_patient) == (0, False)


@simulated
@pytest.mark.parametrize("first", [False, True])
async def test_a_request_that_is_given_up_is_in_the_queue_no_longer(*, first: bool) -> None:
    queue = WaitQueue()
    turn = queue.add(first=first, ahead=False, patient=True)
    queue.fail_patient()
    assert len(queue) == 0
    assert isinstance(turn.exception(), GivenUpError)


class TestTurns:
    """New items and all other requests take turns."""

    @staticmethod
    async def _order(names: str) -> str:
        """Return the order in which those are let through who come in this one; f: fresh."""
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        log: list[str] = []

        async def enter(name: str) -> None:
            if name == "r":
                await limiter.acquire()
            else:
                await limiter.acquire(fresh=name == "f", ahead=name == "a")
            log.append(name)

        tasks: list[asyncio.Task[None]] = []
        for name in names:
            tasks.append(asyncio.create_task(enter(name)))
            await asyncio.sleep(0)
        assert limiter.waiting == len(names)
        for _ in names:
            limiter.release()
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert (limiter.waiting, limiter.in_flight) == (0, 1)
        return "".join(log)

    @simulated
    @pytest.mark.parametrize(
        ("come", "let_in"),
        [
            ("rrrfff", "rfrfrf"),
            ("fffrrr", "rfrfrf"),
            ("rrrrf", "rfrrr"),
            ("ffffr", "rffff"),
            ("fff", "fff"),
            ("rffa", "afrf"),
        ],
    )
    async def test_they_take_turns_in_any_order_of_arrival(self, come: str, let_in: str) -> None:
        assert await self._order(come) == let_in

    @simulated
    async def test_a_request_that_goes_ahead_does_so_at_the_turn_of_a_new_item_too(self) -> None:
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        first, new = (asyncio.create_task(limiter.acquire(fresh=n == 1)) for n in range(2))
        await asyncio.sleep(0)
        limiter.release()
        ahead = asyncio.create_task(limiter.acquire(ahead=True))
        await asyncio.sleep(0)
        limiter.release()
        await asyncio.sleep(0)
        assert (first.done(), new.done(), ahead.done()) == (True, False, True)
        limiter.release()
        await new

    @simulated
    async def test_endless_new_items_leave_the_other_requests_their_turn(self) -> None:
        """However many runs there are, each of which asks again as soon as it is let through."""
        limiter = limiter_of(ceiling=1)
        await limiter.acquire()
        through = 0

        async def run() -> None:
            nonlocal through
            while True:
                await limiter.acquire(fresh=True)
                through += 1

        runs = [asyncio.create_task(run()) for _ in range(5)]
        await asyncio.sleep(0)
        others = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        for _ in range(10):
            limiter.release()
            await asyncio.sleep(0)
        assert all(other.done() for other in others)
        assert through == 5
        for task in runs:
            task.cancel()
        await asyncio.wait(runs)
        assert limiter.waiting == 0

    @simulated
    async def test_both_kinds_are_given_up_at_the_outage_timeout(self) -> None:
        limiter = limiter_of(patience=10)
        await fall(limiter)
        await limiter.acquire()
        tasks = [asyncio.create_task(limiter.acquire(fresh=n % 2 == 0)) for n in range(6)]
        alone = asyncio.create_task(limiter.acquire(patient=False))
        await asyncio.sleep(0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {GivenUpError}
        assert limiter.waiting == 1
        alone.cancel()
        await asyncio.wait([alone])
        assert limiter.waiting == 0
        await limiter.close()
