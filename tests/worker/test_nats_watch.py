import asyncio
import logging
import signal

import pytest
from nats.aio.client import Client

from restream_async.worker.activity import Activity
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.nats_watch import NatsWatch
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until

SUBJECTS = Subjects()


def watch_of(connection: Client, activity: Activity) -> NatsWatch:
    return NatsWatch(
        connection=connection,
        jetstream=connection.jetstream(timeout=1.0),  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        subjects=SUBJECTS,
        consumers=(SUBJECTS.consumer,),
        activity=activity,
    )


async def test_a_silent_server_is_noted_and_is_no_reason_to_end(
    connection: Client, nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "restream_async.worker")
    await declare_streams(jetstream_of(connection), SUBJECTS)
    await declare_consumer(jetstream_of(connection), SUBJECTS)
    activity = Activity(connection=connection)
    watch = watch_of(connection, activity)
    assert await watch.problem() == ""
    assert activity.answered

    nats_server.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            # It may answer once more before it stops.
            while activity.answered:
                assert await watch.problem() == ""
    finally:
        nats_server.send(signal.SIGCONT)

    assert await watch.problem() == ""
    assert activity.answered

    await nats_server.stop()
    await until(lambda: connection.is_reconnecting)
    assert await watch.problem() == await watch.problem() == ""
    logged = [record for record in caplog.records if record.module == "nats_watch"]
    assert [(each.levelname, each.message) for each in logged] == [
        ("WARNING", "the NATS server does not answer, so this worker gets no messages"),
        ("INFO", "the NATS server answers, so this worker gets messages again"),
        ("WARNING", "the connection to the NATS server is lost, so this worker gets no messages"),
    ]


async def test_what_is_missing_for_a_moment_is_no_reason_to_end(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watch_of(connection, Activity(connection=connection))
    found = ["the stream RESTREAMS", "", "the stream RESTREAMS", "the stream RESTREAMS"]

    async def find(*_: object) -> str:
        return found.pop(0)

    monkeypatch.setattr("restream_async.worker.nats_watch.find_deleted", find)
    monkeypatch.setattr("restream_async.worker.nats_watch._RECHECK_SECONDS", 0.0)

    assert await watch.problem() == ""
    assert await watch.problem() == "the stream RESTREAMS does not exist any more"
