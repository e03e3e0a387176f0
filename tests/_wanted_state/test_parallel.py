"""The same with several things at the same time."""

import asyncio

import pytest

from restream_async._wanted_state.parallel import for_each


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
