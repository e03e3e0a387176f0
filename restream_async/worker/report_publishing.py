"""Private: publishes outcomes and dead letters, until the server has confirmed them."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from nats.js import JetStreamContext

from restream_async.handling.command_messages import encode
from restream_async.handling.reports import Report
from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.subjects import Subjects

_TIMEOUT: Final = 5.0
"""Seconds that the server has to confirm a report."""

_log: Final = logging.getLogger("restream_async.worker")


async def publish_report(jetstream: JetStreamContext, subjects: Subjects, report: Report) -> None:
    """Publish a report as an outcome, and perhaps as a dead letter; retry until confirmed.

    The command of a dead letter comes first, so that each dead letter that can be read can be
    retried.
    """
    if report.command is not None:
        subject = subjects.dead_command(report.message_id)
        data = encode(report.command)
        await _publish(jetstream, subject, subjects.dead_commands_stream, data, {})
    headers = {
        "Nats-Msg-Id": report.message_id,
        "correlation_id": report.message_id,
        "content-type": "application/json",
    }
    targets = [(subjects.outcomes, subjects.outcomes_stream)]
    targets += [(subjects.dead, subjects.dead_stream)] if report.is_dead_letter else []
    for subject, stream in targets:
        await _publish(jetstream, subject, stream, report.body, headers)


async def _publish(
    jetstream: JetStreamContext, subject: str, stream: str, data: bytes, headers: Mapping[str, str]
) -> None:
    while True:
        try:
            await jetstream.publish(
                subject, data, timeout=_TIMEOUT, stream=stream, headers=dict(headers)
            )
        except NATS_ERRORS as error:
            _log.warning("an outcome cannot be published yet: %s", error)
            await asyncio.sleep(1.0)
        else:
            return
