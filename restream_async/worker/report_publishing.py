"""Private: publishes outcomes and dead letters, until the server has confirmed them."""

import asyncio
import logging
from typing import Final

from nats.js import JetStreamContext

from restream_async.handling.reports import Report
from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.subjects import Subjects

_TIMEOUT: Final = 5.0
"""Seconds that the server has to confirm a report."""

_log: Final = logging.getLogger("restream_async.worker")


async def publish_report(jetstream: JetStreamContext, subjects: Subjects, report: Report) -> None:
    """Publish a report as an outcome, and perhaps as a dead letter; retry until confirmed."""
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
                _log.warning("an outcome cannot be published yet: %s", error)
                await asyncio.sleep(1.0)
