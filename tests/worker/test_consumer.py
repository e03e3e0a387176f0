"""The shared consumer: created if absent, else compared; and remembered if it is deleted."""

import dataclasses
import logging

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from restream_async import ConfigurationError
from restream_async.handling.command_messages import encode
from restream_async.worker.consumer import (
    ACK_WAIT,
    GLOBAL_CONCURRENCY,
    Consumer,
    declare_consumer,
    find_deleted,
)
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import wanted

SUBJECTS = Subjects()


async def test_an_existing_consumer_keeps_its_settings(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)

    made = await declare_consumer(jetstream, SUBJECTS, global_concurrency=5, ack_wait=7.0)

    assert made == Consumer(global_concurrency=5, ack_wait=7.0, check_until=0)
    assert await declare_consumer(jetstream, SUBJECTS) == made


async def test_a_new_consumer_has_the_defaults(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)

    found = await declare_consumer(jetstream, SUBJECTS)

    assert (found.global_concurrency, found.ack_wait) == (GLOBAL_CONCURRENCY, ACK_WAIT)


async def test_another_global_concurrency_changes_only_that_of_the_consumer(
    connection: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    await declare_consumer(jetstream, SUBJECTS, global_concurrency=5, ack_wait=7.0)
    before = (await jetstream.consumer_info(SUBJECTS.stream, SUBJECTS.consumer)).config

    changed = await declare_consumer(jetstream, SUBJECTS, global_concurrency=6)

    assert changed == Consumer(global_concurrency=6, ack_wait=7.0, check_until=0)
    assert await declare_consumer(jetstream, SUBJECTS, global_concurrency=6) == changed
    after = (await jetstream.consumer_info(SUBJECTS.stream, SUBJECTS.consumer)).config
    assert after == dataclasses.replace(before, max_ack_pending=6)
    (message,) = caplog.messages
    assert message.endswith(
        "now allows at most 6 messages in progress on all machines together; before: 5"
    )


async def test_a_consumer_with_other_settings_is_refused_and_left_as_it_is(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    made = await declare_consumer(jetstream, SUBJECTS, global_concurrency=5, ack_wait=7.0)

    with pytest.raises(ConfigurationError, match=r"ack_wait 7\.0 instead of 8\.0"):
        await declare_consumer(jetstream, SUBJECTS, global_concurrency=6, ack_wait=8.0)

    assert await declare_consumer(jetstream, SUBJECTS) == made


async def test_a_push_consumer_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    config = ConsumerConfig(
        durable_name=SUBJECTS.consumer,
        deliver_subject="somewhere",
        filter_subject=SUBJECTS.commands,
    )
    await jetstream.add_consumer(SUBJECTS.stream, config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    with pytest.raises(ConfigurationError, match="is a push consumer: name another one"):
        await declare_consumer(jetstream, SUBJECTS)


async def test_after_a_deleted_consumer_all_earlier_messages_need_a_check(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)
    salt = await declare_streams(jetstream, SUBJECTS)
    first = await declare_consumer(jetstream, SUBJECTS, ack_wait=7.0)
    for number in range(3):
        await jetstream.publish(SUBJECTS.commands, encode(wanted(number)))
    await jetstream.delete_consumer(SUBJECTS.stream, SUBJECTS.consumer)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    second = await declare_consumer(jetstream, SUBJECTS, ack_wait=7.0, sleep=sleep)

    assert (first.check_until, second.check_until) == (0, 3)
    assert slept == [1.0, 7.0], "until all work on messages of the first one has ended"
    assert await declare_consumer(jetstream, SUBJECTS) == second
    assert await declare_streams(jetstream, SUBJECTS) == salt


async def test_a_worker_that_starts_while_another_one_creates_the_consumer_does_not_wait_for_work(
    connection: Client, caplog: pytest.LogCaptureFixture
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    made = await declare_consumer(jetstream, SUBJECTS, ack_wait=7.0)
    config = (await jetstream.consumer_info(SUBJECTS.stream, SUBJECTS.consumer)).config
    # It is noted, and does not exist yet.
    await jetstream.delete_consumer(SUBJECTS.stream, SUBJECTS.consumer)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await jetstream.add_consumer(SUBJECTS.stream, config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    found = await declare_consumer(jetstream, SUBJECTS, ack_wait=7.0, sleep=sleep)

    assert found == made
    assert slept == [1.0]
    assert caplog.messages == []


async def test_a_deleted_stream_is_named_and_an_unreachable_server_has_deleted_nothing(
    connection: Client, nats_server: NatsServer
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    await declare_consumer(jetstream, SUBJECTS)
    assert await find_deleted(jetstream, SUBJECTS, [SUBJECTS.consumer]) == ""

    await jetstream.delete_consumer(SUBJECTS.stream, SUBJECTS.consumer)
    found = await find_deleted(jetstream, SUBJECTS, [SUBJECTS.consumer])
    assert found == "the consumer restream-workers of the stream RESTREAMS"

    for stream in ("DEAD_COMMANDS", "DEAD", "OUTCOMES"):
        await jetstream.delete_stream(f"RESTREAMS_{stream}")
        found = await find_deleted(jetstream, SUBJECTS, [SUBJECTS.consumer])
        assert found == f"the stream RESTREAMS_{stream}"
    await jetstream.delete_stream("RESTREAMS")
    assert await find_deleted(jetstream, SUBJECTS, [SUBJECTS.consumer]) == "the stream RESTREAMS"

    await nats_server.stop()
    impatient = connection.jetstream(timeout=0.3)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    assert await find_deleted(impatient, SUBJECTS, [SUBJECTS.consumer]) is None
