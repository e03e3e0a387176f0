"""What the places of a worker process share: the client, the reports, and the end."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from math import inf
from typing import Final, TypeAlias

from faststream.nats import NatsBroker, NatsMessage
from faststream.nats.publisher.usecase import LogicPublisher
from nats.aio.msg import Msg

from restream_async.client import RestreamClient
from restream_async.worker.consumer import GoneError, missing
from restream_async.worker.handling import Handled, Handler
from restream_async.worker.lease import Lease, LostError
from restream_async.worker.nats_options import UNREACHABLE, jetstream_of
from restream_async.worker.reports import Report, Source, reports, summary
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.subjects import LOOK_FIRST
from restream_async.worker.tasks import before, end

GIVING_BACK: Final = 1.0
"""Seconds after the grace to give back what is not finished. What the server does not confirm until
then it delivers again by itself."""

_PUBLISH_SECONDS: Final = 5.0
# Seconds between two looks whether consumer and streams are there; and before what was missing is
# looked for once more, as a cluster may not know of it for a moment.
_LOOK: Final = 5.0
_LOOK_AGAIN: Final = 1.0

_log: Final = logging.getLogger("restream_async.worker")

Work: TypeAlias = Callable[[Msg], Awaitable[Handled]]


class Worker:
    """What the places of a process share."""

    def __init__(self, plan: WorkerSettings, open_client: Callable[[], RestreamClient]) -> None:
        """Work as `plan` says; the client is opened by `lifespan`."""
        self.plan = plan
        self._open_client = open_client
        self._ending = asyncio.Event()
        self._over = asyncio.Event()
        self._left = asyncio.Event()
        self._handler: Handler
        self._watching: asyncio.Task[None] | None = None
        self._client: RestreamClient
        self._draining: tuple[asyncio.Task[None], ...] = ()
        self._missing = ""
        # Until then, what is delivered for the first time may be under way at another worker.
        self._unsure_until = 0.0
        self.broker: NatsBroker
        self.outcomes: LogicPublisher
        self.dead: LogicPublisher

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Keep one client open for the whole process.

        Raises:
            GoneError: at the end, if that came because a consumer or stream was deleted.

        """
        async with self._open_client() as client:
            self._client = client
            self._handler = Handler(
                client=client,
                redelivery=self.plan.redelivery,
                trust_stream=self.plan.trust_stream,
                stopping=self._ending.is_set,
                told=self.plan.told,
                sleep=self._pause,
            )
            try:
                yield
            finally:
                await end(*self._draining)
        if self._missing:
            raise GoneError(f"{self._missing} is not there any more, so this worker has ended")

    async def lost(self) -> None:
        """Note that the connection to the NATS server was lost."""
        self._unsure_until = inf

    async def reconnected(self) -> None:
        """Note that the connection to the NATS server is back; see `command`."""
        self._unsure_until = time.monotonic() + self.plan.ack_wait
        _log.warning(
            "the connection to NATS was lost and is back: for %g s this worker gives back what it "
            "gets for the first time, as the server may have forgotten that others work on it",
            self.plan.ack_wait,
        )

    def watch(self, leave: Callable[[], None]) -> None:
        """Begin to look whether all that workers need is still there; if not, `leave` is called.

        FastStream goes on asking a consumer that was deleted, and never says so.
        """
        self._watching = asyncio.create_task(self._watch(leave))

    async def end(self) -> None:
        """Begin nothing new; what is under way after the grace is given back."""
        self._ending.set()
        if self._watching is not None:
            await end(self._watching)
        # What waits for a service that is gone ends at once.
        self._draining = (asyncio.create_task(self._client.drain(self.plan.grace)),)
        later = asyncio.get_running_loop().call_later
        later(self.plan.grace, self._over.set)
        later(self.plan.grace + GIVING_BACK, self._left.set)

    async def see_through(self, message: NatsMessage, work: Work, age: float = 0.0) -> None:
        """Carry out one delivery, and tell the server what is to become of it.

        Args:
            message: what was delivered.
            work: what it asks for.
            age: seconds for which it may have been here already.

        """
        # Else FastStream would cancel it, and log an error for each message.
        await before(self._left, self._see_through(message, work, age))

    async def _see_through(self, message: NatsMessage, work: Work, age: float) -> None:
        raw = message.raw_message
        connection = await self.broker.connect()
        about = raw.metadata
        source = Source(
            stream=about.stream,
            sequence=about.sequence.stream,
            stored=about.timestamp,
            delivery=about.num_delivered,
            message_id=(raw.headers or {}).get("Nats-Msg-Id"),
        )
        lease = Lease(connection, raw, self.plan.ack_wait, age)
        try:
            handled = await lease.during(self._work(work, raw, source), self._over)
            if handled is None:
                _log.info("message %d is given back unfinished", source.sequence)
                # The service may still be working on what was cut off. A check that comes too
                # early would not see it.
                await lease.again(self.plan.ack_wait)
            elif handled.again is not None:
                if handled.reason:
                    _log.info("message %d again: %s", source.sequence, handled.reason)
                await lease.again(handled.again)
            else:
                await (lease.never() if handled.refused else lease.done())
                _log.info("message %d has ended: %s", source.sequence, summary(handled))
        except LostError:
            # Whoever gets it next looks first.
            _log.warning("message %d: the NATS server was away for too long", source.sequence)

    async def command(self, message: Msg) -> Handled:
        """Create the restreams that a message asks for.

        A NATS server that is killed forgets its latest deliveries, and delivers these messages
        again as if for the first time, while the worker that got them before still creates. A
        check would not see that. So after a reconnection this worker gives back first deliveries.
        The other worker goes on prolonging its lease, so the message comes back only after that
        one has ended: as a second delivery, with a check that sees what was created.
        """
        is_first = message.metadata.num_delivered == 1
        if is_first and time.monotonic() < self._unsure_until:
            return Handled(again=self.plan.ack_wait)
        return await self._handler.handle(
            message.data,
            message.metadata.num_delivered,
            look_first=LOOK_FIRST in (message.headers or {})
            or message.metadata.sequence.stream <= self.plan.look_until,
        )

    async def _watch(self, leave: Callable[[], None]) -> None:
        jetstream = jetstream_of(await self.broker.connect())
        consumers = [self.plan.names]
        consumers += [self.plan.names.of_events] if self.plan.destinations else []
        while not self._missing:
            await asyncio.sleep(_LOOK)
            # A call that waits for the service tells nobody until its own deadline.
            self._handler.note_outage()
            if await missing(jetstream, consumers):
                await asyncio.sleep(_LOOK_AGAIN)
                self._missing = await missing(jetstream, consumers)
        _log.error("%s is not there any more, so this worker ends", self._missing)
        leave()

    async def _work(self, work: Work, message: Msg, source: Source) -> Handled:
        handled = await work(message)
        for refused in handled.refused:
            _log.warning("message %d is a dead letter: %s", source.sequence, refused.reason)
        for report in reports(handled, source):
            await self._tell(report)
        return handled

    async def _tell(self, report: Report) -> None:
        publishers = [self.outcomes, *([self.dead] if report.is_dead_letter else [])]
        for publisher in publishers:
            while not await _published(publisher, report):  # noqa: ASYNC110 - asked, not told
                await asyncio.sleep(1.0)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)


async def _published(publisher: LogicPublisher, report: Report) -> bool:
    try:
        await publisher.publish(
            report.body,
            headers={"Nats-Msg-Id": report.message_id, "content-type": "application/json"},
            timeout=_PUBLISH_SECONDS,
        )
    except UNREACHABLE as error:
        _log.warning("an outcome cannot be published yet: %s", error)
        return False
    return True
