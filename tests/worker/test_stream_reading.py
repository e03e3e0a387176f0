"""Reading streams of reports, on a real NATS server."""

import asyncio
import json
import signal
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from restream_async import ConfigurationError
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.stream_reading import json_object, read_stream
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.polling import until

STREAM = "RESTREAMS_OUTCOMES"
SUBJECT = "restreams.outcomes"
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restream_async.worker.nats_connection._RECONNECT_SECONDS", 0.1)
    for name in ("_FETCH_SECONDS", "_RETRY_SECONDS"):
        monkeypatch.setattr(f"restream_async.worker.stream_reading.{name}", 0.2)


async def prepared(connection: Client, count: int = 0) -> JetStreamContext:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Subjects())
    await publish(jetstream, *range(count))
    return jetstream


async def publish(jetstream: JetStreamContext, *numbers: int) -> None:
    for number in numbers:
        await jetstream.publish(SUBJECT, json.dumps({"n": number}).encode())


async def numbers(jetstream: JetStreamContext, **options: Any) -> list[int]:  # noqa: ANN401 - of read_stream
    return [number(each) async for each in read_stream(jetstream, STREAM, **options)]


def number(message: Msg) -> int:
    return int(json_object(message.data)["n"])


async def test_all_that_is_kept_is_read_in_order_in_several_batches(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.stream_reading._BATCH", 7)
    jetstream = await prepared(connection, 50)

    assert await numbers(jetstream) == list(range(50))
    assert await numbers(jetstream, subject="restreams.nothing") == []
    assert (await jetstream.stream_info(STREAM)).state.messages == 50


async def test_an_empty_stream_ends_at_once(connection: Client) -> None:
    assert await numbers(await prepared(connection)) == []


async def test_what_came_before_a_time_is_left_out(connection: Client) -> None:
    jetstream = await prepared(connection, 3)
    since = datetime.now(UTC)
    await publish(jetstream, 3, 4)

    assert await numbers(jetstream, since=since) == [3, 4]
    assert await numbers(jetstream, since=EPOCH) == [0, 1, 2, 3, 4]


async def test_what_comes_while_it_reads_is_left_for_the_next_reading(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.stream_reading._BATCH", 1)
    jetstream = await prepared(connection, 3)
    found: list[int] = []

    async for message in read_stream(jetstream, STREAM):
        found.append(number(message))
        await publish(jetstream, 99)

    assert found == [0, 1, 2]


async def test_bodies_can_be_left_out(connection: Client) -> None:
    jetstream = await prepared(connection, 2)

    found = [each async for each in read_stream(jetstream, STREAM, headers_only=True)]
    assert [each.data for each in found] == [b"", b""]


async def test_a_stream_that_does_not_exist_is_named(connection: Client) -> None:
    with pytest.raises(ConfigurationError, match="the stream RESTREAMS_OUTCOMES does not exist"):
        await numbers(jetstream_of(connection))


@pytest.mark.parametrize("kept", [0, 3])
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restart_of_the_server_loses_and_repeats_nothing(
    connection: Client, nats_server: NatsServer, kept: int, kill: signal.Signals
) -> None:
    jetstream = await prepared(connection, kept)
    found: list[int] = []

    async def follow() -> None:
        async with aclosing(read_stream(jetstream, STREAM, follow=True)) as messages:
            async for message in messages:
                found.append(number(message))  # noqa: PERF401 - seen while it grows

    following = asyncio.create_task(follow())
    await is_reading(jetstream)
    await nats_server.restart(kill)
    await until(lambda: connection.is_connected)
    await publish(jetstream, 10, 11)
    await until(lambda: len(found) == 2)
    await nats_server.restart(kill)
    await until(lambda: connection.is_connected)
    await publish(jetstream, 12)
    await until(lambda: len(found) == 3)

    assert found == [10, 11, 12], "not what was there before"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_message_that_is_lost_on_the_way_is_read_again(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    jetstream = await prepared(connection, 20)
    fetch = JetStreamContext.PullSubscription.fetch
    lost = iter([False, True, True])

    async def lossy(self: JetStreamContext.PullSubscription, *_: object) -> list[Msg]:
        batch = await fetch(self, 5, 0.2)
        if next(lost, False):
            del batch[-2:]
        return batch

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", lossy)

    reading = read_stream(jetstream, STREAM, since=EPOCH, follow=True)
    async with asyncio.timeout(10), aclosing(reading) as messages:
        found = [number(await anext(messages)) for _ in range(20)]

    assert found == list(range(20))


async def test_the_last_message_that_is_lost_on_the_way_is_read_again(
    connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    jetstream = await prepared(connection, 1)
    fetch = JetStreamContext.PullSubscription.fetch
    lost = iter([True])

    async def lossy(self: JetStreamContext.PullSubscription, *_: object) -> list[Msg]:
        batch = await fetch(self, 5, 0.2)
        return [] if next(lost, False) else batch

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", lossy)

    reading = read_stream(jetstream, STREAM, since=EPOCH, follow=True)
    async with asyncio.timeout(10), aclosing(reading) as messages:
        assert number(await anext(messages)) == 0


async def test_a_stream_that_is_deleted_ends_the_reading(connection: Client) -> None:
    jetstream = await prepared(connection)
    following = asyncio.create_task(numbers(jetstream, follow=True))
    await is_reading(jetstream)

    await jetstream.delete_stream(STREAM)

    with pytest.raises(ConfigurationError, match="does not exist"):
        await asyncio.wait_for(following, 10)


async def test_without_following_a_lost_server_is_an_error(
    connection: Client, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async.worker.stream_reading._BATCH", 1)
    await prepared(connection, 2)
    jetstream = connection.jetstream(timeout=0.2)  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    async with aclosing(read_stream(jetstream, STREAM)) as messages:
        assert number(await anext(messages)) == 0
        await nats_server.stop()
        with pytest.raises(ConfigurationError, match="JetStream of the NATS server cannot be use"):
            await anext(messages)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"1"])
def test_a_body_that_is_no_object_says_so(body: bytes) -> None:
    assert json_object(body) == {"error": "the message is not a JSON object"}


async def is_reading(jetstream: JetStreamContext) -> None:
    """Wait until a reading has its consumer."""
    async with asyncio.timeout(10):
        while not await jetstream.consumers_info(STREAM):  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)
