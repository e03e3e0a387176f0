import asyncio

import pytest

from restream_async.cli.output.ticker import Ticker


async def test_it_calls_while_its_block_runs_and_not_before_its_time() -> None:
    calls: list[None] = []
    async with Ticker(0.0, lambda: calls.append(None)):
        assert not calls
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(calls) > 1
    count = len(calls)
    await asyncio.sleep(0)
    assert len(calls) == count


async def test_an_error_of_the_function_is_raised_at_the_end() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with Ticker(0.0, fail):
            await asyncio.sleep(0.01)
