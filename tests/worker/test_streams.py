"""Streams: created if absent, else compared."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig

from restream_async import ConfigurationError
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects

SUBJECTS = Subjects()


async def test_workers_that_start_together_find_the_same_salt(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)

    salts = await asyncio.gather(*(declare_streams(jetstream, SUBJECTS) for _ in range(5)))

    assert len(set(salts)) == 1
    assert len(salts[0]) == 64
    assert await declare_streams(jetstream, SUBJECTS) == salts[0]


async def test_a_stream_that_would_lose_commands_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await jetstream.add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        StreamConfig(
            name=SUBJECTS.stream,
            subjects=[SUBJECTS.commands, SUBJECTS.events],
            retention=RetentionPolicy.LIMITS,
        )
    )

    with pytest.raises(ConfigurationError, match="retention limits instead of workqueue"):
        await declare_streams(jetstream, SUBJECTS)


async def test_a_foreign_stream_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await jetstream.add_stream(  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        StreamConfig(name=SUBJECTS.stream, subjects=["orders"])
    )

    with pytest.raises(ConfigurationError, match=r"not take restreams\.commands, restreams\.ev"):
        await declare_streams(jetstream, SUBJECTS)


async def test_a_subject_that_belongs_to_another_stream_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)

    with pytest.raises(ConfigurationError, match="the stream OTHER cannot be made: subjects overl"):
        await declare_streams(jetstream, Subjects(stream="OTHER"))


async def test_messages_that_the_server_gives_up_are_dead_letters(
    connection: Client,
) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)

    found = (await jetstream.stream_info(SUBJECTS.dead_stream)).config.subjects

    advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RESTREAMS.*"
    assert found == [SUBJECTS.dead, advisory]


async def test_a_foreign_stream_with_the_same_settings_is_refused(connection: Client) -> None:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, SUBJECTS)
    config = (await jetstream.stream_info(SUBJECTS.stream)).config
    await jetstream.update_stream(config.evolve(metadata={}))  # pyright: ignore[reportUnknownMemberType] - untyped keywords

    with pytest.raises(ConfigurationError, match="was not made by restream-async"):
        await declare_streams(jetstream, SUBJECTS)
