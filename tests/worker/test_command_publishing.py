"""Publishing restreams to the stream."""

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.errors import APIError

from restream_async.worker.command_publishing import Published, Publisher, UnpublishedError
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until
from tests.helpers.simulated_time import now, simulated
from tests.helpers.worker_fleet import wanted


@pytest_asyncio.fixture
async def publisher(connection: Client) -> Publisher:
    jetstream = jetstream_of(connection)
    salt = await declare_streams(jetstream, Subjects())
    return Publisher(
        jetstream=jetstream, subject="restreams.commands", stream="RESTREAMS", salt=salt
    )


async def count(publisher: Publisher) -> int:
    return (await publisher.jetstream.stream_info("RESTREAMS")).state.messages


async def test_publishing_again_adds_only_what_is_missing(
    publisher: Publisher,
) -> None:
    first: list[Published] = []
    again: list[Published] = []

    await publisher.publish_all((wanted(number) for number in range(300)), first.append)
    await publisher.publish_all((wanted(number) for number in range(500)), again.append)

    assert [each.is_new for each in first] == [True] * 300
    assert sum(each.is_new for each in again) == 200
    assert await count(publisher) == 500


async def test_a_restart_of_the_server_loses_and_doubles_nothing(
    publisher: Publisher, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server never confirms what was in progress just then.
    monkeypatch.setattr("restream_async.worker.command_publishing._CONFIRM_SECONDS", 0.5)
    found: list[Published] = []
    publishing = asyncio.create_task(
        publisher.publish_all((wanted(number) for number in range(3000)), found.append)
    )
    await until(lambda: len(found) >= 500, pause=0)
    await nats_server.restart()
    await asyncio.wait_for(publishing, 30)

    assert len(found) == 3000
    assert await count(publisher) == 3000


async def test_an_id_says_nothing_without_the_salt_and_holds_no_secret(
    publisher: Publisher,
) -> None:
    published = await publisher.publish(wanted(1))
    elsewhere = attrs.evolve(publisher, salt=b"another")

    assert published.message_id == publisher.message_id(attrs.evolve(wanted(1), title="Other"))
    assert published.message_id != publisher.message_id(wanted(2))
    assert published.message_id != elsewhere.message_id(wanted(1))
    assert wanted(1).stream_key not in published.message_id
    assert publisher.salt.decode() not in repr(publisher)


async def test_an_unreachable_server_is_an_error_after_the_timeout(
    publisher: Publisher, nats_server: NatsServer
) -> None:
    await nats_server.stop()
    impatient = attrs.evolve(publisher, timeout=0.3)

    with pytest.raises(UnpublishedError, match=r"has not answered for 0\.3 s"):
        await impatient.publish_all([wanted(1)])


async def test_a_full_stream_is_an_error_at_once(publisher: Publisher) -> None:
    config = (await publisher.jetstream.stream_info("RESTREAMS")).config
    config.max_msgs = 1
    await publisher.jetstream.update_stream(config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await publisher.publish(wanted(1))

    with pytest.raises(UnpublishedError, match="maximum messages exceeded"):
        await publisher.publish_all([wanted(2)])


async def test_a_restream_that_is_too_large_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "small.conf").write_text("max_payload: 4096\n")
    server = NatsServer(tmp_path)
    server.arguments = ["-c", str(tmp_path / "small.conf")]
    await server.start()
    try:
        connection = await NatsOptions(url=server.url).connect()
        jetstream = jetstream_of(connection)
        await declare_streams(jetstream, Subjects())
        publisher = Publisher(
            jetstream=jetstream, subject="restreams.commands", stream="RESTREAMS", salt=b""
        )
        huge = attrs.evolve(wanted(1), title="t" * 5000)
        with pytest.raises(UnpublishedError, match="it cannot be published: maximum payload"):
            await publisher.publish(huge)
        await close(connection)
    finally:
        await server.stop()


async def test_publishing_waits_for_a_stream_that_is_being_created(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    publisher = Publisher(
        jetstream=jetstream, subject="restreams.commands", stream="RESTREAMS", salt=b""
    )
    publishing = asyncio.create_task(publisher.publish(wanted(1)))
    await asyncio.sleep(0.1)
    await declare_streams(jetstream, Subjects())

    assert (await asyncio.wait_for(publishing, 5)).is_new


@pytest.mark.parametrize("subject", ["", "restreams commands"])
async def test_a_subject_that_nats_refuses_is_an_error_at_once(
    publisher: Publisher, subject: str
) -> None:
    with pytest.raises(UnpublishedError, match="it cannot be published: invalid subject"):
        await attrs.evolve(publisher, subject=subject).publish(wanted(1))


@simulated
async def test_a_cluster_without_a_leader_is_asked_again_after_a_pause() -> None:
    electing = APIError(code=503, err_code=10008, description="no leader")
    acks: list[object] = [
        TimeoutError(),
        electing,
        PubAck(stream="RESTREAMS", seq=1, duplicate=True),
    ]

    asked: list[float] = []

    class Cluster:
        async def publish(self, *_: object, **__: object) -> object:
            asked.append(now())
            if isinstance(ack := acks.pop(0), Exception):
                raise ack
            return ack

    cluster: Any = Cluster()

    publisher = Publisher(
        jetstream=cluster, subject="restreams.commands", stream="RESTREAMS", salt=b""
    )
    assert not (await publisher.publish(wanted(1))).is_new
    assert asked == [0.0, 0.5, 1.0]
