"""A message that lay in the queue is worked on only while it is certainly ours."""

from typing import Any

import attrs

from restream_async.worker.settings import WorkerSettings
from restream_async.worker.slot import WorkerSlot

ACK_WAIT = 30.0


@attrs.define
class Queue:
    """Stands for the subscription, the subscriber, and the worker that is given what is taken."""

    clock: float = 100.0
    pending_msgs: int = 0
    lasting: float = 0.0
    arriving: int = 0
    ages: list[float] = attrs.field(factory=list[float])
    plan: WorkerSettings = attrs.field(factory=lambda: WorkerSettings(ack_wait=ACK_WAIT))

    @property
    def subscription(self) -> "Queue":
        return self

    async def see_through(self, *about: object) -> None:
        age: Any = about[-1]
        self.ages.append(age)
        self.clock += self.lasting
        self.pending_msgs = self.arriving


def place(queue: Queue) -> Any:  # noqa: ANN401 - with stand-ins for FastStream's objects
    stand_in: Any = queue
    return WorkerSlot(stand_in, stand_in, lambda: queue.clock)


async def test_messages_that_were_fetched_in_turn_are_fresh() -> None:
    queue = Queue(lasting=1000.0)
    taking = place(queue)

    for _ in range(3):
        await taking.take(None, None)

    assert queue.ages == [0.0, 0.0, 0.0]


async def test_one_that_came_meanwhile_is_as_old_as_the_work_before_it_was_long() -> None:
    queue = Queue(lasting=ACK_WAIT / 3, arriving=1)
    taking = place(queue)

    await taking.take(None, None)
    queue.arriving = 0
    await taking.take(None, None)
    await taking.take(None, None)

    assert queue.ages == [0.0, ACK_WAIT / 3, 0.0]


async def test_one_that_may_be_somebody_else_s_by_now_is_left() -> None:
    queue = Queue(lasting=ACK_WAIT, arriving=2)
    taking = place(queue)

    await taking.take(None, None)
    queue.arriving = 0
    for _ in range(2):
        await taking.take(None, None)
    assert queue.ages == [0.0], "both lay there while the first was worked on"

    await taking.take(None, None)
    assert queue.ages == [0.0, 0.0]


async def test_the_longer_one_lay_there_the_older_it_is() -> None:
    queue = Queue(lasting=ACK_WAIT / 6, arriving=2)
    taking = place(queue)

    for arriving in (2, 1, 0):
        queue.arriving = arriving
        await taking.take(None, None)

    assert queue.ages == [0.0, ACK_WAIT / 6, ACK_WAIT / 3]
