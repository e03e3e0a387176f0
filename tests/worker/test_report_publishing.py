"""Publishing reports."""

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck

from restream_async.handling.command_messages import Unusable
from restream_async.worker.nats_connection import jetstream_of
from tests.helpers.dead_letters import add_dead_letter


async def test_a_dead_letter_is_published_after_what_a_retry_of_it_needs(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []
    publish = JetStreamContext.publish

    async def noted(self: JetStreamContext, subject: str, *args: bytes, **options: str) -> PubAck:
        published.append(subject)
        return await publish(self, subject, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(JetStreamContext, "publish", noted)

    await add_dead_letter(jetstream_of(connection), 7)
    command, *reports = published
    assert command.startswith("restreams.commands.dead.RESTREAMS:7:")
    assert reports == ["restreams.outcomes", "restreams.dead"]

    published.clear()
    await add_dead_letter(jetstream_of(connection), 8, "it is no JSON", Unusable("it is no JSON"))
    assert published == ["restreams.outcomes", "restreams.dead"]
