"""The binding to FastStream: a worker as an application, on a JetStream pull consumer.

As many subscribers as messages may be under way, each of which fetches one message and sees it
through. FastStream's other ways do not fit: a batch is waited for as a whole, so its slowest
message stalls the others; and `max_workers` fetches ahead, so that messages grow old in memory
and are delivered to somebody else meanwhile, which would create a restream twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from importlib.metadata import version
from typing import Any, Final

import attrs
from faststream import AckPolicy, FastStream
from faststream._internal.constants import EMPTY
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.publisher.usecase import LogicPublisher
from faststream.nats.security import NatsCredentials, NatsSecurity
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from faststream.specification import AsyncAPI
from nats.js.api import ConsumerConfig

from restream_async.client import RestreamClient
from restream_async.policy import RetryPolicy
from restream_async.worker.handling import REDELIVERY, Handled, Handler
from restream_async.worker.lease import UNREACHABLE, Lease, LostError
from restream_async.worker.names import Names
from restream_async.worker.nats_options import NatsOptions
from restream_async.worker.reports import Report, Source, reports
from restream_async.worker.shapes import Command, CreatedReport, FailedReport
from restream_async.worker.topology import ACK_WAIT

# How long a fetch waits for a message; then it asks anew, also after a restart of the server.
_FETCH_SECONDS: Final = 5.0
_PUBLISH_SECONDS: Final = 5.0

_log: Final = logging.getLogger("restream_async.worker")


@attrs.frozen(kw_only=True)
class Plan:
    """How a worker works.

    Attributes:
        names: what things are called on the NATS server.
        places: messages under way in this process, at most.
        ack_wait: seconds, as the consumer has them.
        redelivery: how often a message is delivered at most, and its rest in between.
        grace: seconds that messages under way may take to finish when the worker is to end; what
            is not finished then is given back.

    """

    names: Names = attrs.field(factory=Names)
    places: int = 16
    ack_wait: float = ACK_WAIT
    redelivery: RetryPolicy = REDELIVERY
    grace: float = 20.0


class _Worker:
    """What the places of a process share."""

    def __init__(self, plan: Plan, open_client: Callable[[], RestreamClient]) -> None:
        self.plan = plan
        self._open_client = open_client
        self._ending = asyncio.Event()
        self._over = asyncio.Event()
        self._under_way: set[asyncio.Task[object] | None] = set()
        self._handler: Handler | None = None
        self.outcomes: LogicPublisher
        self.dead: LogicPublisher

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Keep one client open for the whole process."""
        async with self._open_client() as client:
            self._handler = Handler(
                client=client,
                redelivery=self.plan.redelivery,
                stopping=self._ending.is_set,
                sleep=self._pause,
            )
            yield

    async def end(self) -> None:
        """Begin nothing new; what is under way after the grace is given back."""
        self._ending.set()
        asyncio.get_running_loop().call_later(self.plan.grace, self._over.set)

    async def see_through(self, message: NatsMessage, broker: NatsBroker) -> None:
        """Carry out one delivery, and tell the server what is to become of it."""
        raw = message.raw_message
        connection = await broker.connect()
        about = raw.metadata
        source = Source(
            stream=about.stream,
            sequence=about.sequence.stream,
            delivery=about.num_delivered,
            message_id=(raw.headers or {}).get("Nats-Msg-Id"),
        )
        lease = Lease(connection, raw, self.plan.ack_wait)
        try:
            handled = await lease.during(self._work(raw.data, source), self._over)
            if handled is None:
                await lease.again(0.0)
            elif handled.again is not None:
                _log.info("message %d again: %s", source.sequence, handled.reason)
                await lease.again(handled.again)
            elif handled.refused:
                await lease.never()
            else:
                await lease.done()
        except LostError:
            # Whoever gets it next looks first.
            _log.warning("message %d: the NATS server was away for too long", source.sequence)

    async def _work(self, data: bytes, source: Source) -> Handled:
        if self._handler is None:
            raise RuntimeError("the worker is not open")
        handled = await self._handler.handle(data, source.delivery)
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


def worker_app(
    options: NatsOptions,
    plan: Plan | None = None,
    client: Callable[[], RestreamClient] = RestreamClient,
) -> FastStream:
    """Return a worker as a FastStream application; `await app.run()` ends well on SIGTERM.

    The streams and the consumer must be there: see `topology`.

    Args:
        options: how to reach the NATS server.
        plan: how to work.
        client: makes the client that all messages share; opened and closed by the application.

    Raises:
        ConfigurationError: files for TLS cannot be used.

    """
    return _assemble(options, plan if plan is not None else Plan(), client, serializer=None)


def document(names: Names, server: str = "nats://127.0.0.1:4222") -> str:
    """Return the AsyncAPI document of the subjects, as JSON."""
    options = NatsOptions(url=server)
    # FastStream reads the shapes of messages with pydantic; a worker that runs needs none.
    app = _assemble(options, Plan(names=names, places=1), RestreamClient, serializer=EMPTY)
    return app.schema.to_specification().to_json()


def _assemble(
    options: NatsOptions,
    plan: Plan,
    client: Callable[[], RestreamClient],
    *,
    serializer: Any,  # noqa: ANN401 - FastStream's
) -> FastStream:
    worker = _Worker(plan, client)
    broker = NatsBroker(
        options.servers,
        security=_security(options),
        # An address may hold a password, and the document shows it.
        specification_url=options.shown,
        description="NATS JetStream",
        # FastStream cancels what takes longer; ours is given back before.
        graceful_timeout=plan.grace + 5.0,
        logger=_log.getChild("broker"),
        log_level=logging.DEBUG,
        serializer=serializer,
        **options.arguments(),
    )
    names = plan.names
    worker.outcomes = broker.publisher(
        names.outcomes,
        stream=JStream(names.outcomes_stream, declare=False),
        title="Outcomes",
        description="What became of each restream.",
        schema=CreatedReport | FailedReport,
    )
    worker.dead = broker.publisher(
        names.dead,
        stream=JStream(names.dead_stream, declare=False),
        title="DeadLetters",
        description="Restreams that will not be created, with the reason.",
        schema=FailedReport,
    )
    for place in range(plan.places):
        subscriber = broker.subscriber(
            names.subject,
            stream=JStream(names.stream, declare=False),
            durable=names.durable,
            pull_sub=PullSub(batch_size=1, timeout=_FETCH_SECONDS),
            config=ConsumerConfig(ack_wait=plan.ack_wait),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            decoder=_as_it_is,
            title="Commands",
            description="Restreams to create: one, or a list.",
            include_in_schema=place == 0,
        )
        subscriber(_place(worker, subscriber, broker))
    return FastStream(
        broker,
        logger=_log.getChild("app"),
        lifespan=worker.lifespan,
        on_shutdown=[worker.end],
        specification=AsyncAPI(
            title="restream-async worker",
            version=version("restream-async"),
            description="Creates restreams on the VP live-video platform, each exactly once.",
        ),
    )


def _place(
    worker: _Worker, subscriber: PullStreamSubscriber, broker: NatsBroker
) -> Callable[..., object]:
    """Return what one subscriber does with a message."""
    stale = 0

    async def restreams(command: Command | list[Command], message: NatsMessage) -> None:
        nonlocal stale
        del command  # what FastStream documents; the bytes are decoded strictly
        if stale:
            # It came while the one before was worked on, and nobody prolonged it: it may be
            # somebody else's by now. The server delivers it again.
            stale -= 1
            return
        await worker.see_through(message, broker)
        pulled = subscriber.subscription
        stale = pulled.pending_msgs if pulled is not None else 0

    return restreams


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


async def _as_it_is(message: NatsMessage) -> bytes:
    return bytes(message.body)


def _security(options: NatsOptions) -> NatsSecurity | None:
    tls = options.tls()
    if options.credentials is not None:
        return NatsCredentials(
            str(options.credentials), ssl_context=tls, use_ssl=tls is not None or None
        )
    return NatsSecurity(ssl_context=tls) if tls is not None else None
