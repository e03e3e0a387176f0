"""Private: one delivery of a message, from its lease to its acknowledgement."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs
from nats.aio.client import Client
from nats.aio.msg import Msg

from restream_async._telemetry import Telemetry, default_telemetry
from restream_async.handling.message_handler import Handled
from restream_async.handling.reports import summary
from restream_async.worker.activity import Activity, Verdict
from restream_async.worker.lease import Lease, LeaseLostError
from restream_async.worker.report_publishing import ReportPublisher

_log: Final = logging.getLogger("restream_async.worker")

Work: TypeAlias = Callable[[Msg], Awaitable[Handled]]
"""Does what a message asks for."""


@attrs.frozen(kw_only=True)
class DeliveryProcessor:
    """Works on deliveries: does the work, reports it, and then tells the server.

    Attributes:
        connection: that the messages come on.
        ack_wait: seconds that a lease lasts.
        reports: publishes what became of each message.
        activity: gets what is in progress, and how deliveries end.
        shutdown_over: is set when unfinished messages get a NAK.

    """

    connection: Client
    ack_wait: float
    reports: ReportPublisher
    activity: Activity
    shutdown_over: asyncio.Event
    _telemetry: Telemetry = attrs.field(factory=default_telemetry, init=False)

    async def process(self, work: Work, message: Msg, age: float) -> None:
        """Process one delivery, which may have been here for `age` seconds already."""
        with self.activity.message(message.metadata.num_delivered):
            self.activity.verdicts[await self._settle(work, message, age)] += 1

    async def _settle(self, work: Work, message: Msg, age: float) -> Verdict:
        number = message.metadata.sequence.stream
        lease = Lease(self.connection, message, self.ack_wait, age)
        try:
            handled = await lease.hold(self._work_and_report(work, message), self.shutdown_over)
            if handled is None:
                _log.info("message %d is redelivered: the worker stops", number)
                # The service may still be working on the request that was cut off, and an existence
                # check that comes too early would not see its effect.
                await lease.nak(self.ack_wait)
                return "nak"
            if handled.delay is not None:
                if handled.reason:
                    _log.info("message %d again: %s", number, handled.reason)
                await lease.nak(handled.delay)
            else:
                await (lease.terminate() if handled.dead else lease.ack())
                _log.info("message %d has ended: %s", number, summary(handled))
        except LeaseLostError:
            # The worker that gets it next makes an existence check.
            _log.warning("message %d: the NATS server was away for too long", number)
            return "lease_lost"
        except Exception:  # noqa: BLE001 - a bug in one message must not end the others
            _log.exception("message %d failed because of a bug; it is delivered again", number)
            return "bug"
        return handled.verdict

    async def _work_and_report(self, work: Work, message: Msg) -> Handled:
        with self._telemetry.received(message.headers or {}):
            handled = await work(message)
        for item in handled.dead:
            number = message.metadata.sequence.stream
            _log.warning("message %d is a dead letter: %s", number, item.reason)
        await self.reports.publish(handled, message)
        return handled
