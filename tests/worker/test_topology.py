"""Streams and consumer: made if absent, and never fought over."""

import asyncio
import re

import pytest
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig

from restream_async import ConfigurationError
from restream_async.worker.names import Names
from restream_async.worker.nats_options import NatsOptions, jetstream_of
from restream_async.worker.topology import (
    ACK_WAIT,
    IN_FLIGHT,
    declare_consumer,
    declare_streams,
)

from .nats_server import NatsServer

NAMES = Names()


async def test_all_workers_find_the_same_salt_however_many_begin_at_once(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)

    salts = await asyncio.gather(*(declare_streams(jetstream, NAMES) for _ in range(5)))

    assert len(set(salts)) == 1
    assert len(salts[0]) == 64
    assert await declare_streams(jetstream, NAMES) == salts[0]


async def test_a_consumer_that_is_there_says_how_it_is(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, NAMES)

    assert await declare_consumer(jetstream, NAMES, in_flight=5, ack_wait=7.0) == (5, 7.0)
    assert await declare_consumer(jetstream, NAMES) == (5, 7.0)


async def test_without_wishes_a_new_consumer_has_the_defaults(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, NAMES)

    assert await declare_consumer(jetstream, NAMES) == (IN_FLIGHT, ACK_WAIT)


async def test_a_consumer_with_another_cap_is_refused_and_left_as_it_is(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, NAMES)
    await declare_consumer(jetstream, NAMES, in_flight=5)

    with pytest.raises(ConfigurationError, match="max_ack_pending 5 instead of 6"):
        await declare_consumer(jetstream, NAMES, in_flight=6)

    assert (await declare_consumer(jetstream, NAMES))[0] == 5


async def test_a_stream_that_would_lose_commands_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await jetstream.add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        StreamConfig(
            name=NAMES.stream,
            subjects=[NAMES.subject, NAMES.events],
            retention=RetentionPolicy.LIMITS,
        )
    )

    with pytest.raises(ConfigurationError, match="retention limits instead of workqueue"):
        await declare_streams(jetstream, NAMES)


async def test_a_stream_of_somebody_else_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await jetstream.add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        StreamConfig(name=NAMES.stream, subjects=["orders"])
    )

    with pytest.raises(ConfigurationError, match=r"not take restreams\.commands, restreams\.ev"):
        await declare_streams(jetstream, NAMES)


async def test_a_subject_that_belongs_to_another_stream_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, NAMES)

    with pytest.raises(ConfigurationError, match="the stream OTHER cannot be made: subjects overl"):
        await declare_streams(jetstream, Names(stream="OTHER"))


async def test_what_the_server_itself_gives_up_is_among_the_dead_letters(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, NAMES)

    found = (await jetstream.stream_info(NAMES.dead_stream)).config.subjects

    advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RESTREAMS.*"
    assert found == [NAMES.dead, advisory]


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    options = NatsOptions(url="nats://user:hidden-password@127.0.0.1:1")

    with pytest.raises(ConfigurationError, match=re.escape("at nats://127.0.0.1:1:")) as caught:
        await options.connect()

    assert "hidden-password" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "hidden-password" not in repr(options)


async def test_a_wrong_password_is_said_at_once(nats_server: NatsServer) -> None:
    await nats_server.stop()
    nats_server.arguments = ["--user", "u", "--pass", "right"]
    await nats_server.start()

    with pytest.raises(ConfigurationError, match="Authorization Violation") as caught:
        await NatsOptions(url=nats_server.url.replace("//", "//u:wrong-one@")).connect()

    assert "wrong-one" not in str(caught.value)
