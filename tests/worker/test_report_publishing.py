"""Publishing reports."""

from typing import Any
from unittest.mock import AsyncMock

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck

from restream_async.handling.command_messages import Unusable
from restream_async.handling.reports import Report
from restream_async.worker.activity import Activity
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.report_publishing import ReportPublisher
from restream_async.worker.subjects import Subjects
from tests.helpers.dead_letters import add_dead_letter


async def test_a_dead_letter_is_published_before_its_command(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []
    publish = JetStreamContext.publish

    async def noted(self: JetStreamContext, subject: str, *args: bytes, **options: str) -> PubAck:
        published.append(subject)
        return await publish(self, subject, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(JetStreamContext, "publish", noted)

    await add_dead_letter(jetstream_of(connection), 7)
    *reports, command = published
    assert command.startswith("restreams.commands.dead.RESTREAMS:7:")
    assert reports == ["restreams.outcomes", "restreams.dead"]

    published.clear()
    await add_dead_letter(jetstream_of(connection), 8, "it is no JSON", Unusable("it is no JSON"))
    assert published == ["restreams.outcomes", "restreams.dead"]


async def test_attempts_that_fail_are_repeated_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.sleep", AsyncMock())
    answers = [nats.errors.TimeoutError(), nats.errors.ConnectionClosedError(), None]
    jetstream: Any = AsyncMock(**{"publish.side_effect": answers})
    activity = Activity()
    publisher = ReportPublisher(jetstream=jetstream, subjects=Subjects(), activity=activity)

    await publisher.publish_report(Report(is_dead_letter=False, message_id="1", body=b"{}"))

    assert jetstream.publish.await_count == 3
    assert activity.unpublished == 2
