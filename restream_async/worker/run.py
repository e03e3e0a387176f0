"""One worker process, from the first connection to the last message.

A worker has several slots. Each slot fetches a message, processes it, publishes what became of it,
and tells the server whether to deliver it again. All slots share one client of the service.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from restream_async.client import RestreamClient
from restream_async.handling.message_handler import Handled, MessageHandler
from restream_async.worker.activity import Activity
from restream_async.worker.command_publishing import Publisher
from restream_async.worker.consumer import Consumer, declare_consumer
from restream_async.worker.delivery import DeliveryProcessor, Work
from restream_async.worker.errors import WorkerEndedError
from restream_async.worker.event_handler import EventHandler
from restream_async.worker.first_delivery_guard import FirstDeliveryGuard
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.nats_watch import NatsWatch
from restream_async.worker.pull_loop import run_slot
from restream_async.worker.report_publishing import ReportPublisher
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import CHECK_FIRST
from restream_async.worker.tasks import end

# Seconds after the shutdown timeout for the NAKs of unfinished messages. If the server does not
# confirm one in that time, it delivers the message again by itself.
_NAK_SECONDS: Final = 1.0
# Seconds between two checks whether the worker can go on.
_CHECK_SECONDS: Final = 5.0

_log: Final = logging.getLogger("restream_async.worker")


async def run_worker(
    options: NatsOptions,
    settings: WorkerSettings | None = None,
    open_client: Callable[..., RestreamClient] = RestreamClient,
) -> None:
    """Work until SIGTERM or Ctrl-C; then finish or NAK the messages in progress.

    Takes over both signals once it is connected, and keeps them. Needs the main thread.

    Args:
        options: how to reach the NATS server.
        settings: how to work.
        open_client: returns the client that all messages share; the worker closes it. With
            `settings.health` it gets the argument `telemetry`, which is for the client.

    Raises:
        ConfigurationError: the server cannot be reached, or its streams or consumer exist with
            other settings; or the address of the health endpoint cannot be used.
        WorkerEndedError: the consumer or a stream was deleted while the worker ran, or the server
            has closed the connection for good.

    """
    settings = settings if settings is not None else WorkerSettings()
    subjects = settings.subjects
    activity = Activity()
    async with contextlib.AsyncExitStack() as stack:
        if settings.health is not None:
            from restream_async.worker.health import serve_health  # noqa: PLC0415 - slow

            telemetry = await stack.enter_async_context(serve_health(settings.health, activity))
            open_client = partial(open_client, telemetry=telemetry)
        connection = await options.connect()
        stack.push_async_callback(close, connection)
        jetstream = jetstream_of(connection)
        salt = await declare_streams(jetstream, subjects, replicas=settings.replicas)
        consumer = await declare_consumer(
            jetstream,
            subjects,
            global_concurrency=settings.global_concurrency,
            ack_wait=settings.ack_wait,
        )
        if settings.destinations:
            await declare_consumer(jetstream, subjects, events=True, ack_wait=consumer.ack_wait)
        worker = Worker(
            connection, settings, consumer, salt, activity=activity, secrets=options.secrets
        )
        loop = asyncio.get_running_loop()

        def stop(*_: object) -> None:
            # A repeated signal may come after the loop is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(worker.stop)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        await worker.run(open_client)


class Worker:
    """The slots of one process, on a connection to a server with streams and consumer."""

    def __init__(  # noqa: PLR0913 - each is a thing of its own
        self,
        connection: Client,
        settings: WorkerSettings,
        consumer: Consumer,
        salt: bytes,
        *,
        activity: Activity | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        """Describe a worker; `run` starts it.

        Args:
            connection: an open connection.
            settings: how to work.
            consumer: what `declare_consumer` returned.
            salt: what `declare_streams` returned.
            activity: gets what the worker is doing.
            secrets: what no text of the server may repeat.

        """
        self._activity = activity if activity is not None else Activity()
        self._secrets = secrets
        self._connection = connection
        self._jetstream = jetstream_of(connection)
        self._settings = settings
        self._consumer = consumer
        self._publisher = Publisher(
            jetstream=self._jetstream,
            subject=settings.subjects.commands,
            stream=settings.subjects.stream,
            salt=salt,
        )
        self._stopping = asyncio.Event()
        self._shutdown_over = asyncio.Event()
        self._delivery = DeliveryProcessor(
            connection=connection,
            ack_wait=consumer.ack_wait,
            reports=ReportPublisher(
                jetstream=self._jetstream, subjects=settings.subjects, activity=self._activity
            ),
            activity=self._activity,
            shutdown_over=self._shutdown_over,
        )
        self._handler: MessageHandler
        self._event_handler: EventHandler
        self._problem = ""
        self._first_deliveries = FirstDeliveryGuard(connection, consumer.ack_wait)

    def stop(self) -> None:
        """Tell the worker to stop: it fetches no more messages, and finishes those it has."""
        self._stopping.set()

    async def run(self, open_client: Callable[[], RestreamClient]) -> None:
        """Work until `stop` is called, and shut down.

        Raises:
            WorkerEndedError: the consumer or a stream was deleted, or the server has closed the
                connection for good.

        """
        settings, subjects = self._settings, self._settings.subjects
        async with open_client() as client:
            self._handler = MessageHandler(
                client=client,
                redelivery=settings.redelivery,
                trust_stream=settings.trust_stream,
                stopping=self._stopping.is_set,
                error_text=settings.error_text,
                sleep=self._sleep,
            )
            self._event_handler = EventHandler(
                destinations=settings.destinations,
                rules=settings.rules,
                messages=self._handler,
                client=client,
                publisher=self._publisher,
            )
            consumers = {subjects.consumer: self._create}
            slots = [subjects.consumer] * settings.concurrency
            if settings.destinations:
                consumers[subjects.events_consumer] = self._handle_event
                slots.append(subjects.events_consumer)
            activity = self._activity
            activity.connection, activity.client = self._connection, client
            activity.slots = len(slots)
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(self._run_slot(consumer, consumers[consumer]))
                    for consumer in slots
                ]
                watching = tasks.create_task(self._watch(consumers))
                _log.info("ready: up to %d messages at the same time", settings.concurrency)
                await self._stopping.wait()
                activity.stopping = True
                draining = tasks.create_task(client.drain(settings.shutdown_timeout))
                await asyncio.wait(working, timeout=settings.shutdown_timeout)
                self._shutdown_over.set()
                await asyncio.wait(working, timeout=_NAK_SECONDS)
                await end(watching, draining, *working)
        if self._problem:
            raise WorkerEndedError(f"{self._problem}, so this worker has ended")

    async def _run_slot(self, consumer: str, work: Work) -> None:
        subscription = await self._jetstream.pull_subscribe_bind(
            consumer, self._settings.subjects.stream
        )
        with self._activity.pull():
            await run_slot(
                subscription,
                partial(self._delivery.process, work),
                stopping=self._stopping,
                ack_wait=self._consumer.ack_wait,
            )

    async def _create(self, message: Msg) -> Handled:
        """Create the restreams that a command asks for."""
        about = message.metadata
        if about.num_delivered == 1 and self._first_deliveries.is_uncertain():
            return Handled(delay=self._consumer.ack_wait)
        return await self._handler.handle(
            message.data,
            about.num_delivered,
            check_first=CHECK_FIRST in (message.headers or {})
            or about.sequence.stream <= self._consumer.check_until,
        )

    async def _handle_event(self, message: Msg) -> Handled:
        return await self._event_handler.handle(message.data, message.metadata.num_delivered)

    async def _watch(self, consumers: Iterable[str]) -> None:
        """Stop the worker if it cannot go on. A fetch does not notice that."""
        watch = NatsWatch(
            connection=self._connection,
            jetstream=self._jetstream,
            subjects=self._settings.subjects,
            consumers=tuple(consumers),
            activity=self._activity,
            secrets=self._secrets,
        )
        while not self._problem:
            await asyncio.sleep(_CHECK_SECONDS)
            self._first_deliveries.is_uncertain()
            self._problem = await watch.problem()
        _log.error("%s, so this worker ends", self._problem)
        self.stop()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
