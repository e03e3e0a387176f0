"""One place of a worker process: a subscriber that sees one message through at a time.

A fetch that runs out and its message can pass each other, so that a second message comes while the
first one is worked on. It lies in the subscription's queue, where nobody prolongs its lease.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from faststream.nats import NatsMessage
from faststream.nats.subscriber.usecases import PullStreamSubscriber

from restream_async.worker.process import Work, Worker

_log: Final = logging.getLogger("restream_async.worker")


class WorkerSlot:
    """Takes the messages of one subscriber, which hands them over one after the other."""

    def __init__(
        self,
        worker: Worker,
        subscriber: PullStreamSubscriber,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing in the queue."""
        self.worker = worker
        self._subscriber = subscriber
        self._now = now
        self._queued = 0
        self._since = 0.0

    async def take(self, message: NatsMessage, work: Work) -> None:
        """See a message through, unless it lay in the queue for so long that others may have it."""
        begun = self._now()
        # It came after the one before was begun; more is not known.
        age = begun - self._since if self._queued else 0.0
        self._queued = max(0, self._queued - 1)
        if age > self.worker.plan.ack_wait / 2:
            # The server delivers it again.
            _log.info("a message lay in the queue for up to %.1f s, and is left", age)
            return
        await self.worker.see_through(message, work, age)
        if not self._queued:
            self._since = begun
        pulled = self._subscriber.subscription
        self._queued = pulled.pending_msgs if pulled is not None else 0
