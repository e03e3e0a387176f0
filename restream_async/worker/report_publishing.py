"""Private: publishes outcomes and dead letters, until the server has confirmed them."""

import asyncio
import logging
from typing import Final

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from restream_async.handling.message_handler import Handled
from restream_async.handling.reports import Report, Source, reports
from restream_async.worker.activity import Activity
from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.subjects import Subjects

_TIMEOUT: Final = 5.0
"""Seconds that the server has to confirm a report."""

_log: Final = logging.getLogger("restream_async.worker")


async def publish_reports(
    jetstream: JetStreamContext,
    subjects: Subjects,
    handled: Handled,
    message: Msg,
    activity: Activity,
) -> None:
    """Publish what became of a message, as outcomes and dead letters; retry until confirmed."""
    about = message.metadata
    source = Source(
        stream=about.stream,
        sequence=about.sequence.stream,
        stored=about.timestamp,
        delivery=about.num_delivered,
        message_id=(message.headers or {}).get("Nats-Msg-Id"),
    )
    for report in reports(handled, source):
        await _publish(jetstream, subjects, report, activity)


async def _publish(
    jetstream: JetStreamContext, subjects: Subjects, report: Report, activity: Activity
) -> None:
    targets = [(subjects.outcomes, subjects.outcomes_stream)]
    targets += [(subjects.dead, subjects.dead_stream)] if report.is_dead_letter else []
    headers = {
        "Nats-Msg-Id": report.message_id,
        "correlation_id": report.message_id,
        "content-type": "application/json",
    }
    for subject, stream in targets:
        while True:
            try:
                await jetstream.publish(
                    subject,
                    report.body,
                    timeout=_TIMEOUT,
                    stream=stream,
                    headers=dict(headers),
                )
                break
            except NATS_ERRORS as error:
                activity.unpublished += 1
                _log.warning("an outcome cannot be published yet: %s", error)
                await asyncio.sleep(1.0)
