"""One worker process, from the first connection to the last message.

A worker has several slots. Each slot fetches a message, processes it, publishes what became of it,
and tells the server whether to deliver it again. All slots share one client of the service.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from nats.aio.client import Client
from nats.aio.msg import Msg

from restream_async._telemetry import found
from restream_async.client import RestreamClient
from restream_async.handling.message_handler import Handled, MessageHandler
from restream_async.handling.reports import Source, reports, summary
from restream_async.worker.command_publishing import Publisher
from restream_async.worker.consumer import (
    Consumer,
    DeletedError,
    declare_consumer,
    find_deleted,
)
from restream_async.worker.events import EventHandler
from restream_async.worker.first_delivery_guard import FirstDeliveryGuard
from restream_async.worker.lease import Lease, LeaseLostError
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.pull_loop import run_slot
from restream_async.worker.report_publishing import publish_report
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import CHECK_FIRST
from restream_async.worker.tasks import end

# Seconds after the shutdown timeout to give back unfinished messages. If the server does not
# confirm one in that time, it delivers the message again by itself.
_GIVE_BACK_SECONDS: Final = 1.0
# Seconds between two checks whether consumer and streams exist; and before the second check of what
# is missing, because a cluster may not know of it for a moment.
_CHECK_SECONDS: Final = 5.0
_RECHECK_SECONDS: Final = 1.0

_log: Final = logging.getLogger("restream_async.worker")

_Process: TypeAlias = Callable[[Msg], Awaitable[Handled]]


async def run_worker(
    options: NatsOptions,
    settings: WorkerSettings | None = None,
    open_client: Callable[[], RestreamClient] = RestreamClient,
) -> None:
    """Work until SIGTERM or Ctrl-C; then finish or give back the messages in progress.

    Takes over both signals once it is connected, and keeps them. Needs the main thread.

    Args:
        options: how to reach the NATS server.
        settings: how to work.
        open_client: returns the client that all messages share; the worker closes it.

    Raises:
        ConfigurationError: the server cannot be reached, or its streams or consumer exist with
            other settings.
        DeletedError: the consumer or a stream was deleted while the worker ran.

    """
    settings = settings if settings is not None else WorkerSettings()
    subjects = settings.subjects
    connection = await options.connect()
    try:
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
        worker = Worker(connection, settings, consumer, salt)
        loop = asyncio.get_running_loop()

        def stop(*_: object) -> None:
            # A repeated signal may come after the loop is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(worker.stop)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        await worker.run(open_client)
    finally:
        await close(connection)


class Worker:
    """The slots of one process, on a connection to a server with streams and consumer."""

    def __init__(
        self, connection: Client, settings: WorkerSettings, consumer: Consumer, salt: bytes
    ) -> None:
        """Describe a worker; `run` starts it.

        Args:
            connection: an open connection.
            settings: how to work.
            consumer: what `declare_consumer` returned.
            salt: what `declare_streams` returned.

        """
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
        self._handler: MessageHandler
        self._event_handler: EventHandler
        self._deleted = ""
        self._first_deliveries = FirstDeliveryGuard(connection, consumer.ack_wait)
        self._telemetry = found()

    def stop(self) -> None:
        """Tell the worker to stop: it fetches no more messages, and finishes those it has."""
        self._stopping.set()

    async def run(self, open_client: Callable[[], RestreamClient]) -> None:
        """Work until `stop` is called, and shut down.

        Raises:
            DeletedError: the consumer or a stream was deleted.

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
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(self._run_slot(consumer, consumers[consumer]))
                    for consumer in slots
                ]
                watching = tasks.create_task(self._watch(list(consumers)))
                _log.info("ready: up to %d messages at the same time", settings.concurrency)
                await self._stopping.wait()
                draining = tasks.create_task(client.drain(settings.shutdown_timeout))
                await asyncio.wait(working, timeout=settings.shutdown_timeout)
                self._shutdown_over.set()
                await asyncio.wait(working, timeout=_GIVE_BACK_SECONDS)
                await end(watching, draining, *working)
        if self._deleted:
            raise DeletedError(f"{self._deleted} does not exist any more, so this worker has ended")

    async def _run_slot(self, consumer: str, process: _Process) -> None:
        subscription = await self._jetstream.pull_subscribe_bind(
            consumer, self._settings.subjects.stream
        )
        await run_slot(
            subscription,
            partial(self._process, process),
            stopping=self._stopping,
            ack_wait=self._consumer.ack_wait,
        )

    async def _process(self, process: _Process, message: Msg, age: float) -> None:
        """Process one delivery, and tell the server what becomes of the message."""
        number = message.metadata.sequence.stream
        lease = Lease(self._connection, message, self._consumer.ack_wait, age)
        try:
            handled = await lease.hold(
                self._process_and_report(process, message), self._shutdown_over
            )
            if handled is None:
                _log.info("message %d is given back unfinished", number)
                # The service may still be working on the request that was cut off, and an existence
                # check that comes too early would not see its effect.
                await lease.nak(self._consumer.ack_wait)
            elif handled.delay is not None:
                if handled.reason:
                    _log.info("message %d again: %s", number, handled.reason)
                await lease.nak(handled.delay)
            else:
                await (lease.terminate() if handled.dead else lease.ack())
                _log.info("message %d has ended: %s", number, summary(handled))
        except LeaseLostError:
            # The worker that gets it next makes an existence check.
            _log.warning("message %d: the NATS server was away for too long", number)
        except Exception:  # noqa: BLE001 - a bug in one message must not end the others
            _log.exception("message %d failed because of a bug; it is delivered again", number)

    async def _process_and_report(self, process: _Process, message: Msg) -> Handled:
        with self._telemetry.received(message.headers or {}):
            handled = await process(message)
        about = message.metadata
        source = Source(
            stream=about.stream,
            sequence=about.sequence.stream,
            stored=about.timestamp,
            delivery=about.num_delivered,
            message_id=(message.headers or {}).get("Nats-Msg-Id"),
        )
        for item in handled.dead:
            _log.warning("message %d is a dead letter: %s", source.sequence, item.reason)
        for report in reports(handled, source):
            await publish_report(self._jetstream, self._settings.subjects, report)
        return handled

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

    async def _watch(self, consumers: list[str]) -> None:
        """Stop the worker if something that it needs is deleted. A fetch does not notice that."""
        while not self._deleted:
            await asyncio.sleep(_CHECK_SECONDS)
            self._first_deliveries.is_uncertain()
            # A call that waits for the service ends only at its deadline.
            self._handler.note_outage()
            if await find_deleted(self._jetstream, self._settings.subjects, consumers):
                await asyncio.sleep(_RECHECK_SECONDS)
                self._deleted = await find_deleted(
                    self._jetstream, self._settings.subjects, consumers
                )
        _log.error("%s does not exist any more, so this worker ends", self._deleted)
        self.stop()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
