"""Private: publishes outcomes and dead letters, until the server has confirmed them."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import attrs
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from restream_async.handling.command_messages import encode
from restream_async.handling.message_handler import Handled
from restream_async.handling.reports import Report, Source, reports
from restream_async.worker.activity import Activity
from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.subjects import Subjects

_TIMEOUT: Final = 5.0
"""Seconds that the server has to confirm a report."""

_log: Final = logging.getLogger("restream_async.worker")


@attrs.frozen(kw_only=True)
class ReportPublisher:
    """Publishes what became of messages.

    Attributes:
        jetstream: of an open connection.
        subjects: the names to use.
        activity: gets the attempts that fail.

    """

    jetstream: JetStreamContext
    subjects: Subjects
    activity: Activity

    async def publish(self, handled: Handled, message: Msg) -> None:
        """Publish what became of a message; retry until confirmed."""
        about = message.metadata
        source = Source(
            stream=about.stream,
            sequence=about.sequence.stream,
            stored=about.timestamp,
            delivery=about.num_delivered,
            message_id=(message.headers or {}).get("Nats-Msg-Id"),
        )
        for report in reports(handled, source):
            await self.publish_report(report)

    async def publish_report(self, report: Report) -> None:
        """Publish a report as an outcome, and perhaps as a dead letter; retry until confirmed.

        The command of a dead letter comes last. After an interruption the letter may lack its
        command, so it cannot be retried until the message is delivered again. A command without a
        letter would stay unseen, with its stream key.
        """
        subjects = self.subjects
        headers = {
            "Nats-Msg-Id": report.message_id,
            "correlation_id": report.message_id,
            "content-type": "application/json",
        }
        targets = [(subjects.outcomes, subjects.outcomes_stream)]
        targets += [(subjects.dead, subjects.dead_stream)] if report.is_dead_letter else []
        for subject, stream in targets:
            await self._publish(subject, stream, report.body, headers)
        if report.command is not None:
            subject = subjects.dead_command(report.message_id)
            await self._publish(subject, subjects.dead_commands_stream, encode(report.command), {})

    async def _publish(
        self, subject: str, stream: str, data: bytes, headers: Mapping[str, str]
    ) -> None:
        while True:
            try:
                await self.jetstream.publish(
                    subject, data, timeout=_TIMEOUT, stream=stream, headers=dict(headers)
                )
            except NATS_ERRORS as error:
                self.activity.unpublished += 1
                _log.warning("an outcome cannot be published yet: %s", error)
                await asyncio.sleep(1.0)
            else:
                return
