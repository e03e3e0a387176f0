"""The binding to FastStream: a worker as an application, on a JetStream pull consumer.

As many subscribers as messages may be under way, each of which fetches one message and sees it
through. FastStream's other ways do not fit: a batch is waited for as a whole, so its slowest
message stalls the others; and `max_workers` fetches ahead, so that messages grow old in memory
and are delivered to somebody else meanwhile, which would create a restream twice.
"""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from faststream import AckPolicy, FastStream
from faststream._internal.constants import EMPTY
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.security import (
    NatsCredentials,
    NatsNKey,
    NatsSecurity,
    NatsToken,
    NatsUserPassword,
)
from faststream.nats.subscriber.usecases import PullStreamSubscriber
from faststream.specification import AsyncAPI
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from restream_async import __version__
from restream_async.client import RestreamClient
from restream_async.worker.events import commands_for
from restream_async.worker.handling import Handled
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.process import GIVING_BACK, Worker
from restream_async.worker.publishing import Publisher
from restream_async.worker.schemas import Command, CreatedReport, Event, FailedReport
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.slot import WorkerSlot
from restream_async.worker.subjects import Subjects
from restream_async.worker.tls_only import TlsOnlyClient
from restream_async.worker.webhooks import Destination

# How long a fetch waits for a message. One that the server forgot, as it was restarted, waits in
# vain, so it must not be long; 16 places that have nothing to do cost 0.6 % of a core.
_FETCH_SECONDS: Final = 2.0

_log: Final = logging.getLogger("restream_async.worker")


class _Broker(NatsBroker):
    """FastStream's, which leaves the server at once where it does not answer any more."""

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Stop all subscribers, and close the connection.

        FastStream drains the connection instead, which takes up to 40 seconds where the server is
        silent. There is nothing to drain: the server has confirmed all that a worker told it.
        """
        await super(NatsBroker, self).stop(exc_type, exc_val, exc_tb)
        if self._connection is not None:
            await close(self._connection)
            self._connection = None
        self.config.disconnect()


class _InsistingBroker(_Broker):
    """The same, on a connection on which nothing travels unencrypted."""

    async def _connect(self) -> Client:
        connection = TlsOnlyClient()
        await connection.connect(**self._connection_kwargs)
        self.config.connect(connection)
        return connection


def worker_app(
    options: NatsOptions,
    plan: WorkerSettings | None = None,
    client: Callable[[], RestreamClient] = RestreamClient,
) -> FastStream:
    """Return a worker as a FastStream application; `await app.run()` ends well on SIGTERM.

    The streams and the consumer must be there: see `topology` and `consumer`.

    Args:
        options: how to reach the NATS server.
        plan: how to work.
        client: makes the client that all messages share; opened and closed by the application.

    Raises:
        ConfigurationError: files for TLS or the NKey cannot be used.
        GoneError: from `run`, a consumer or stream was deleted under it.

    """
    return _assemble(
        options, plan if plan is not None else WorkerSettings(), client, serializer=None
    )


def document(names: Subjects, server: str = "nats://127.0.0.1:4222") -> str:
    """Return the AsyncAPI document of the subjects, as JSON."""
    options = NatsOptions(url=server)
    # FastStream reads the shapes of messages with pydantic; a worker that runs needs none.
    # All there can be, whoever works it off.
    somewhere = Destination(title="", stream_url="", stream_key="")
    plan = WorkerSettings(names=names, places=1, destinations=(somewhere,))
    app = _assemble(options, plan, RestreamClient, serializer=EMPTY)
    return app.schema.to_specification().to_json()


def _assemble(
    options: NatsOptions,
    plan: WorkerSettings,
    client: Callable[[], RestreamClient],
    *,
    serializer: Any,  # noqa: ANN401 - FastStream's
) -> FastStream:
    worker = Worker(plan, client)
    broker = (_InsistingBroker if options.wants_tls else _Broker)(
        options.servers,
        security=_security(options),
        # An address may hold a password, and the document shows it.
        specification_url=options.shown,
        description="NATS JetStream",
        # FastStream cancels what takes longer; ours has ended before.
        graceful_timeout=plan.grace + 2 * GIVING_BACK,
        logger=_log.getChild("broker"),
        log_level=logging.DEBUG,
        serializer=serializer,
        disconnected_cb=worker.lost,
        reconnected_cb=worker.reconnected,
        **options.arguments(),
    )
    names = plan.names
    worker.broker = broker
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
        commands = _subscriber(broker, names, plan, title="Commands" if place == 0 else None)
        commands(_commands(WorkerSlot(worker, commands)))
    if plan.destinations:
        events = _subscriber(broker, names.of_events, plan, title="Events")
        events(_events(WorkerSlot(worker, events), plan))
    app = FastStream(
        broker,
        logger=_log.getChild("app"),
        lifespan=worker.lifespan,
        on_shutdown=[worker.end],
        specification=AsyncAPI(
            title="restream-async worker",
            version=__version__,
            description="Creates restreams on the VP live-video platform, each exactly once.",
        ),
    )

    @app.after_startup
    async def watch() -> None:
        worker.watch(app.exit)

    return app


def _subscriber(
    broker: NatsBroker, names: Subjects, plan: WorkerSettings, *, title: str | None
) -> PullStreamSubscriber:
    return broker.subscriber(
        names.subject,
        stream=JStream(names.stream, declare=False),
        durable=names.durable,
        pull_sub=PullSub(batch_size=1, timeout=_FETCH_SECONDS),
        config=ConsumerConfig(ack_wait=plan.ack_wait),
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        decoder=_as_it_is,
        title=title,
        include_in_schema=title is not None,
    )


def _commands(place: WorkerSlot) -> Callable[..., object]:
    async def restreams(command: Command | list[Command], message: NatsMessage) -> None:
        """Restreams to create: one, or a list."""
        del command  # what FastStream documents; the bytes are decoded strictly
        await place.take(message, place.worker.command)

    return restreams


def _events(place: WorkerSlot, plan: WorkerSettings) -> Callable[..., object]:
    async def live_videos(event: Event, message: NatsMessage) -> None:
        """Events of the platform: a new live video becomes a command for each destination."""
        del event
        publisher = Publisher(
            jetstream=jetstream_of(await place.worker.broker.connect()),
            subject=plan.names.subject,
            stream=plan.names.stream,
            salt=plan.salt,
        )

        async def translate(raw: Msg) -> Handled:
            return await commands_for(raw.data, plan.destinations, publisher)

        await place.take(message, translate)

    return live_videos


async def _as_it_is(message: NatsMessage) -> bytes:
    return bytes(message.body)


def _security(options: NatsOptions) -> NatsSecurity:
    tls = options.tls()
    if options.credentials is not None:
        return NatsCredentials(str(options.credentials), ssl_context=tls)
    if (seed := options.seed()) is not None:
        return NatsNKey.from_seed(seed, ssl_context=tls)
    if options.login is not None:
        name, password = options.login
        if password is None:
            return NatsToken(name, ssl_context=tls)
        return NatsUserPassword(name, password, ssl_context=tls)
    return NatsSecurity(ssl_context=tls)
