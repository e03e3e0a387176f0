"""Dead letters and their commands, on a real NATS server."""

import asyncio
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck

from restream_async import ConfigurationError
from restream_async.handling.command_messages import Unusable, encode
from restream_async.worker.dead_letters import DeadLetters
from restream_async.worker.nats_connection import jetstream_of
from restream_async.worker.streams import declare_streams, wanted_streams
from restream_async.worker.subjects import CHECK_FIRST, Subjects
from tests.helpers.dead_letters import add_dead_letter
from tests.helpers.worker_fleet import wanted

NAMES = Subjects()


@pytest.fixture
def jetstream(connection: Client) -> JetStreamContext:
    return jetstream_of(connection)


@pytest.fixture
def letters(jetstream: JetStreamContext) -> DeadLetters:
    return DeadLetters(jetstream=jetstream, subjects=NAMES)


async def count(jetstream: JetStreamContext, stream: str) -> int:
    return (await jetstream.stream_info(stream)).state.messages


async def test_a_dead_letter_holds_no_key_and_its_command_holds_the_whole_restream(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7, "no such video")

    (letter,) = await letters.read()
    kept = await jetstream.get_msg(NAMES.dead_commands_stream, 1)

    assert (letter.id, letter.reason, letter.can_be_retried) == (1, "no such video", True)
    assert letter.body["videoId"] == "v7"
    assert "SECRET" not in repr(letter)
    assert kept.data == encode(wanted(7))


async def test_a_retry_asks_for_a_check_and_keeps_the_id_of_the_first_message(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7)
    (letter,) = await letters.read()

    assert await letters.retry(letter)

    command = await jetstream.get_msg(NAMES.stream, 1)
    assert command.data == encode(wanted(7))
    headers: dict[str, str] = command.headers or {}  # pyright: ignore - untyped
    assert headers[CHECK_FIRST] == "1"
    assert headers["Nats-Msg-Id"].startswith("order-7:retry:RESTREAMS:7:")
    assert await letters.read() == []
    assert await count(jetstream, NAMES.dead_commands_stream) == 0


async def test_two_who_retry_the_same_dead_letter_put_one_command_on_the_stream(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7)
    (letter,) = await letters.read()

    await asyncio.gather(letters.retry(letter), letters.retry(letter))

    assert await count(jetstream, NAMES.stream) == 1
    assert await letters.read() == []


async def test_what_is_gone_is_neither_retried_nor_an_error(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7)
    (letter,) = await letters.read()

    await letters.drop(letter)
    await letters.drop(letter)

    assert not await letters.retry(letter)
    assert await count(jetstream, NAMES.stream) == 0
    assert await letters.read() == []


async def test_of_a_list_only_the_restreams_that_failed_are_retried(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7, "x", wanted(1), Unusable("no title", "v2"), wanted(3))

    found = await letters.read()
    assert [each.can_be_retried for each in found] == [True, False, True]
    assert [await letters.retry(each) for each in found] == [True, False, True]

    commands = [await jetstream.get_msg(NAMES.stream, number) for number in (1, 2)]
    assert [each.data for each in commands] == [encode(wanted(1)), encode(wanted(3))]
    assert [each.body["videoId"] for each in await letters.read()] == ["v2"]


async def test_a_dead_letter_that_is_published_twice_is_one(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7)
    config = (await jetstream.stream_info(NAMES.dead_stream)).config
    # The stream forgets the id, as it does after two minutes.
    await jetstream.update_stream(config.evolve(duplicate_window=0.1))  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    while await count(jetstream, NAMES.dead_stream) < 2:
        await add_dead_letter(jetstream, 7)
    await add_dead_letter(jetstream, 8)

    assert await count(jetstream, NAMES.dead_commands_stream) == 2
    first, second = await letters.read()
    assert (first.copies, second.copies) == ((1, 2), (3,))
    assert await letters.retry(first)

    assert await letters.read() == [second]
    assert await count(jetstream, NAMES.stream) == 1


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_report_that_is_interrupted_leaves_no_command_without_a_dead_letter(
    steps: int,
    jetstream: JetStreamContext,
    letters: DeadLetters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await declare_streams(jetstream, NAMES)
    publish = JetStreamContext.publish
    published: list[str] = []

    async def interrupted(
        self: JetStreamContext,
        subject: str,
        *arguments: Any,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> PubAck:
        if len(published) == steps:
            raise asyncio.CancelledError
        published.append(subject)
        return await publish(self, subject, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(JetStreamContext, "publish", interrupted)
        with pytest.raises(asyncio.CancelledError):
            await add_dead_letter(jetstream, 7)
    found = await letters.read()

    assert [each.can_be_retried for each in found] == [False] * (steps - 1)
    assert await count(jetstream, NAMES.dead_commands_stream) == 0
    # The next delivery fails too.
    await add_dead_letter(jetstream, 7)
    assert [each.can_be_retried for each in await letters.read()] == [True]


async def test_notes_of_the_server_and_foreign_messages_are_dead_letters_without_a_command(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    await add_dead_letter(jetstream, 7)
    advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.RESTREAMS.restream-workers"
    await jetstream.publish(advisory, b'{"stream_seq": 12, "deliveries": 24}')
    await jetstream.publish(advisory, b"?")
    await jetstream.publish(NAMES.dead, b"?", headers={"Nats-Msg-Id": ">"})

    retryable, *others = await letters.read()
    first, second, third = [each.reason for each in others]
    assert first.startswith("the NATS server gave up message 12 of its stream after 24 deliveries")
    assert second.startswith("the NATS server gave up message ? of its stream after many deli")
    assert third == "the message is not a JSON object"
    assert not any(each.can_be_retried for each in others)
    for each in others:
        await letters.drop(each)
    assert await letters.read() == [retryable]


async def test_a_dead_letter_that_may_not_be_deleted_is_an_error(
    jetstream: JetStreamContext, letters: DeadLetters
) -> None:
    (dead,) = [each for each in wanted_streams(NAMES) if each.name == NAMES.dead_stream]
    await jetstream.add_stream(dead.config.evolve(deny_delete=True))  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    await add_dead_letter(jetstream, 7)
    (letter,) = await letters.read()

    with pytest.raises(ConfigurationError, match="JetStream of the NATS server cannot be used: "):
        await letters.drop(letter)
    assert len(await letters.read()) == 1
