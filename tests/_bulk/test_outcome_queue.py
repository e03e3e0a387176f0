"""The outcomes of a run that the consumer has not taken yet."""

from __future__ import annotations

import asyncio

from restream_async import NotSentError
from restream_async._bulk.outcome_queue import OutcomeQueue
from restream_async.errors import Call
from restream_async.models import Failed
from restream_async.sandbox import Sandbox
from tests.helpers.leak_checks import leak_checked_client
from tests.helpers.samples import many, new_restream


def test_it_is_full_with_as_many_outcomes_as_it_may_hold() -> None:
    queue = OutcomeQueue(2)
    error = NotSentError(Call("POST", "/restreams"), detail="no", sent=False)
    outcome = Failed(index=0, request=new_restream(), error=error, attempts=0)
    seen: list[bool] = []
    for _ in range(2):
        seen.append(queue.full)
        queue.put(outcome)
    assert [*seen, queue.full] == [False, False, True]
    queue.get()
    assert not queue.full


async def test_two_tasks_can_share_the_outcomes_of_a_run() -> None:
    async with Sandbox(latency=0.001) as sandbox, leak_checked_client(sandbox) as client:
        shares: list[list[int]] = [[], []]
        async with client.create_many(many(40)) as run:

            async def consume(share: list[int]) -> None:
                async for outcome in run:
                    share.append(outcome.index)
                    await asyncio.sleep(0)

            await asyncio.gather(*map(consume, shares))

    assert sorted(shares[0] + shares[1]) == list(range(40))


async def test_an_outcome_is_not_lost_when_waiting_for_it_is_given_up() -> None:
    async with Sandbox(latency=0.01) as sandbox, leak_checked_client(sandbox) as client:
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
