"""The trace of a producer goes on in the worker: W3C headers of NATS messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from restream_async._util.clock import Clock
from restream_async.worker.command_publishing import Publisher
from restream_async.worker.consumer import Consumer, declare_consumer
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.run import Worker
from restream_async.worker.settings import WorkerSettings
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.clients import client_of
from tests.helpers.polling import until
from tests.helpers.recorded_telemetry import RecordedTelemetry, attributes, is_child, trace_id
from tests.helpers.worker_fleet import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client

    from restream_async import RestreamClient
    from restream_async.sandbox import Sandbox


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedTelemetry]:
    recorded = RecordedTelemetry()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorded.tracer_provider)
    yield recorded
    recorded.close()


async def test_creations_of_a_worker_belong_to_the_trace_of_the_producer(
    connection: Client,
    sandbox: Sandbox,
    recorded: RecordedTelemetry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("restream_async.worker.pull_loop._FETCH_SECONDS", 0.5)
    jetstream, subjects = jetstream_of(connection), Subjects()
    salt = await declare_streams(jetstream, subjects)
    await declare_consumer(jetstream, subjects, global_concurrency=8, ack_wait=5.0)
    publisher = Publisher(
        jetstream=jetstream, subject=subjects.commands, stream=subjects.stream, salt=salt
    )
    with recorded.tracer.start_as_current_span("web request") as caller:
        await publisher.publish(wanted(1))
    await publisher.publish(wanted(2))

    def client() -> RestreamClient:
        return client_of(sandbox, clock=Clock())

    consumer = Consumer(global_concurrency=8, ack_wait=5.0, check_until=0)
    worker = Worker(connection, WorkerSettings(concurrency=2), consumer, salt)
    running = asyncio.create_task(worker.run(client))
    await until(lambda: len(recorded.named("restream.create")) == 2, 10)
    worker.stop()
    await asyncio.wait_for(running, 15)

    first, second = sends = recorded.named("publish restreams.commands")
    assert first.parent == caller.get_span_context()
    assert second.parent is None
    for send in sends:
        assert send.kind is SpanKind.PRODUCER
        assert attributes(send) == {
            "messaging.system": "nats",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": "restreams.commands",
        }
        [creation] = [each for each in recorded.named("restream.create") if is_child(each, send)]
        assert trace_id(creation) == trace_id(send)
