"""The same work in several tasks: all of it, its first error, and no cancelled task unnoticed."""

import asyncio
from collections import deque

import pytest

from restream_async._util.parallel import for_each, run_in_tasks


async def test_tasks_share_the_work() -> None:
    left, done = deque(range(10)), list[tuple[object, int]]()

    async def work() -> None:
        while left:
            done.append((asyncio.current_task(), left.popleft()))
            await asyncio.sleep(0)

    assert await run_in_tasks(work, 3)
    assert sorted(number for _, number in done) == list(range(10))
    assert len({task for task, _ in done}) == 3


async def test_the_first_error_is_raised_as_it_is_and_ends_the_other_tasks() -> None:
    running: set[asyncio.Task[None]] = set()
    numbers, error = iter(range(3)), LookupError()

    async def work() -> None:
        if next(numbers) == 1:
            raise error
        await asyncio.Event().wait()

    with pytest.raises(LookupError) as caught:
        await run_in_tasks(work, 3, running)
    assert caught.value is error
    assert running == set()


async def test_a_task_that_other_code_cancels_is_noticed() -> None:
    running: set[asyncio.Task[None]] = set()
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(0.01)

    async def cancel_one() -> None:
        await started.wait()
        next(iter(running)).cancel()

    cancelling = asyncio.create_task(cancel_one())
    assert not await run_in_tasks(work, 2, running)
    await cancelling


async def test_no_tasks_are_all_at_their_end() -> None:
    async def work() -> None:
        raise AssertionError

    assert await run_in_tasks(work, 0)


async def test_it_works_on_no_more_than_so_many_at_the_same_time() -> None:
    working: set[int] = set()
    most: list[int] = []

    async def work(number: int) -> None:
        working.add(number)
        most.append(len(working))
        await asyncio.sleep(0)
        working.remove(number)

    await for_each(range(7), work, most=3)
    assert (len(most), max(most)) == (7, 3)


async def test_an_error_is_raised_as_it_is() -> None:
    async def work(number: int) -> None:
        raise LookupError(number)

    with pytest.raises(LookupError):
        await for_each([1], work, most=3)


async def test_a_part_that_other_code_cancels_is_an_error() -> None:
    async def work(_: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="cancelled from outside"):
        await for_each([1, 2], work, most=1)
