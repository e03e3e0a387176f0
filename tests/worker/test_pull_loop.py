"""The pull loop of one slot: no message is processed that another worker may have."""

import asyncio
from typing import Any

import attrs
import nats.errors
import nats.js.errors
import pytest

from restream_async.worker.pull_loop import run_slot

ACK_WAIT = 30.0


@attrs.define
class Subscription:
    """Stands in for the subscription: it has `count` messages."""

    count: int
    clock: float = 100.0
    pending_msgs: int = 0
    lasting: float = 0.0
    arriving: list[int] = attrs.field(factory=list[int])
    errors: list[Exception] = attrs.field(factory=list[Exception])
    ages: list[float] = attrs.field(factory=list[float])
    fetched: int = 0
    unsubscribed: int = 0
    stopping: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def fetch(self, batch: int, timeout: float) -> list[object]:  # noqa: ASYNC109 - as in nats-py
        assert (batch, timeout) == (1, 2.0)
        if self.errors:
            raise self.errors.pop(0)
        if self.fetched == self.count:
            self.stopping.set()
            await asyncio.sleep(60)
        self.fetched += 1
        self.pending_msgs = max(0, self.pending_msgs - 1)
        return [object()]

    async def process(self, _: object, age: float) -> None:
        self.ages.append(age)
        self.clock += self.lasting
        if self.arriving:
            self.pending_msgs = self.arriving.pop(0)

    async def unsubscribe(self) -> None:
        self.unsubscribed += 1
        raise nats.errors.ConnectionClosedError

    async def run(self) -> list[float]:
        """Run a slot until all messages were fetched; return the ages of those processed."""
        stand_in: Any = self
        await run_slot(
            stand_in,
            self.process,
            stopping=self.stopping,
            ack_wait=ACK_WAIT,
            now=lambda: self.clock,
        )
        assert self.unsubscribed == 1
        return self.ages


async def test_messages_fetched_one_after_the_other_are_fresh() -> None:
    assert await Subscription(3, lasting=1000.0).run() == [0.0, 0.0, 0.0]


async def test_a_queued_message_is_as_old_as_the_work_before_it_was_long() -> None:
    subscription = Subscription(3, lasting=ACK_WAIT / 3, arriving=[1, 0])

    assert await subscription.run() == [0.0, ACK_WAIT / 3, 0.0]


async def test_a_message_that_another_worker_may_have_is_dropped() -> None:
    subscription = Subscription(4, lasting=ACK_WAIT, arriving=[2, 0])

    assert await subscription.run() == [0.0, 0.0], "two waited while the first was processed"


async def test_the_age_of_queued_messages_adds_up() -> None:
    subscription = Subscription(3, lasting=ACK_WAIT / 6, arriving=[2, 1, 0])

    assert await subscription.run() == [0.0, ACK_WAIT / 6, ACK_WAIT / 3]


async def test_a_fetch_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.pull_loop._ERROR_PAUSE", 0.0)
    errors: list[Exception] = [nats.errors.TimeoutError(), nats.js.errors.ServiceUnavailableError()]

    assert await Subscription(1, errors=errors).run() == [0.0]
