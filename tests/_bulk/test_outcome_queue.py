"""The outcomes of a run that the consumer has not taken yet."""

from __future__ import annotations

import asyncio

from restream_async.sandbox import Sandbox
from tests.helpers.leak_checks import client_of
from tests.helpers.samples import many


async def test_two_tasks_can_share_the_outcomes_of_a_run() -> None:
    async with Sandbox(latency=0.001) as sandbox, client_of(sandbox) as client:
        shares: list[list[int]] = [[], []]
        async with client.create_many(many(40)) as run:

            async def consume(share: list[int]) -> None:
                async for outcome in run:
                    share.append(outcome.index)
                    await asyncio.sleep(0)

            await asyncio.gather(*map(consume, shares))

    assert sorted(shares[0] + shares[1]) == list(range(40))


async def test_an_outcome_is_not_lost_when_waiting_for_it_is_given_up() -> None:
    async with Sandbox(latency=0.01) as sandbox, client_of(sandbox) as client:
        indexes: list[int] = []
        async with client.create_many(many(5)) as run:
            while True:
                try:
                    async with asyncio.timeout(0.002):
                        indexes.append((await anext(run)).index)
                except TimeoutError:
                    continue
                except StopAsyncIteration:
                    break

    assert sorted(indexes) == list(range(5))
