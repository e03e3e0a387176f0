"""Dead letters on a NATS server, and a process that dies while it retries them."""

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nats.js import JetStreamContext

from restream_async.cli import main
from restream_async.handling.command_messages import Item
from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.handling.reports import Source, reports
from restream_async.worker.activity import Activity
from restream_async.worker.report_publishing import ReportPublisher
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.worker_fleet import wanted

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_STORED = datetime(2026, 1, 31, tzinfo=UTC)


async def add_dead_letter(
    jetstream: JetStreamContext, sequence: int, reason: str = "it is refused", *items: Item
) -> None:
    """Publish what a worker publishes about a message that it gives up."""
    await declare_streams(jetstream, Subjects())
    dead = [
        DeadItem(index=index, reason=reason, item=item)
        for index, item in enumerate(items or [wanted(sequence)])
    ]
    source = Source(
        stream="RESTREAMS",
        sequence=sequence,
        stored=_STORED,
        delivery=1,
        message_id=f"order-{sequence}",
    )
    for report in reports(Handled(dead=tuple(dead)), source):
        await ReportPublisher(
            jetstream=jetstream, subjects=Subjects(), activity=Activity()
        ).publish_report(report)


def dies_before(say: "Connection[Any, Any]", url: str, step: str) -> None:
    """Retry all, until JetStream is asked for `step`, such as `purge_stream`."""

    async def die(*_: object, **__: object) -> None:
        say.send("at the step")
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(JetStreamContext, step, die)
    main(["dead", "retry", "--all", "--yes", "--nats-url", url])
