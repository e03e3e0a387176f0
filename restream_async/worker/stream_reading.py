"""Private: reads what a stream of outcomes or dead letters keeps, and follows it.

nats-py has ordered consumers, but after a restart of the server one that has received nothing yet
begins with the first message of the stream, or asks for a start that the server refuses. So
messages are fetched in batches, and after a loss a new consumer goes on behind the last message.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from restream_async._http import json_values
from restream_async.errors import ConfigurationError
from restream_async.worker.nats_connection import NATS_ERRORS, jetstream_setup

_BATCH: Final = 500
# Seconds for which a batch waits for its first message.
_FETCH_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 1.0
# Seconds after which the server deletes a consumer that is not used.
_INACTIVE_SECONDS: Final = 30.0


async def read_stream(  # noqa: PLR0913 - one keyword for each setting
    jetstream: JetStreamContext,
    stream: str,
    *,
    subject: str | None = None,
    since: datetime | None = None,
    headers_only: bool = False,
    follow: bool = False,
) -> AsyncGenerator[Msg]:
    """Yield the messages of a stream in their order, each once. Changes nothing.

    Args:
        jetstream: of an open connection.
        stream: the name of the stream.
        subject: of the messages; None: of all.
        since: when the stream got the first one. None: the first one that it keeps; with `follow`
            the next one that it gets.
        headers_only: whether to leave out the bodies.
        follow: whether to wait for more messages without end, also while the server is away.

    Raises:
        ConfigurationError: the stream does not exist, or JetStream cannot be used.

    """
    with jetstream_setup():
        last = await _last_sequence(jetstream, stream)
    config = ConsumerConfig(
        filter_subject=subject,
        ack_policy=AckPolicy.NONE,
        headers_only=headers_only,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=_INACTIVE_SECONDS,
        **(_from_sequence(last + 1 if follow else 1) if since is None else _from_time(since)),
    )
    while True:
        with contextlib.suppress(*NATS_ERRORS) if follow else jetstream_setup():
            async with aclosing(_deliver(jetstream, stream, config, follow=follow)) as messages:
                async for message in messages:
                    sequence = message.metadata.sequence.stream
                    start = {"opt_start_time": None, **_from_sequence(sequence + 1)}
                    config = dataclasses.replace(config, **start)
                    yield message
                    if not follow and sequence >= last:
                        break
            # With `follow` they end only with an error.
            return
        await asyncio.sleep(_RETRY_SECONDS)
        with contextlib.suppress(*NATS_ERRORS):
            await _last_sequence(jetstream, stream)


def json_object(data: bytes) -> Mapping[str, Any]:
    """Return the JSON object in a message, or one that says that there is none."""
    with contextlib.suppress(json_values.UnreadableError):
        value = json_values.as_object(json_values.parse(data))
        if value is not None:
            return value
    return {"error": "the message is not a JSON object"}


async def _deliver(
    jetstream: JetStreamContext, stream: str, config: ConsumerConfig, *, follow: bool
) -> AsyncGenerator[Msg]:
    """Yield messages of a new consumer, without `follow` until there are no more.

    Raises:
        nats.errors.Error: the server or the consumer is gone, or a message was lost on the way.

    """
    created: ConsumerInfo = await jetstream.add_consumer(stream, config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    subscription = await jetstream.pull_subscribe_bind(created.name, stream)
    delivered, pending = 0, created.num_pending
    try:
        while pending or follow:
            try:
                batch = await subscription.fetch(_BATCH, _FETCH_SECONDS)
            except TimeoutError:
                # A server that was restarted has forgotten the consumer, and then this raises.
                info = await subscription.consumer_info()
                _check_delivered(delivered, info.delivered.consumer_seq if info.delivered else 0)
                pending = info.num_pending
                continue
            for message in batch:
                delivered += 1
                _check_delivered(delivered, message.metadata.sequence.consumer)
                pending = message.metadata.num_pending
                yield message
    finally:
        with contextlib.suppress(*NATS_ERRORS):
            await subscription.unsubscribe()


def _check_delivered(received: int, delivered: int) -> None:
    """Check that a message is not lost.

    Raises:
        nats.errors.Error: one is, because the connection was lost while it was on its way.

    """
    if received != delivered:
        raise nats.errors.Error(f"{delivered:,} messages were delivered, {received:,} arrived")


async def _last_sequence(jetstream: JetStreamContext, stream: str) -> int:
    try:
        return (await jetstream.stream_info(stream)).state.last_seq
    except nats.js.errors.NotFoundError:
        pass
    raise ConfigurationError(
        f"the stream {stream} does not exist on the NATS server: the first worker creates it"
    )


def _from_sequence(sequence: int) -> dict[str, Any]:
    return {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": sequence}


def _from_time(time: datetime) -> dict[str, Any]:
    # The times that messages show are rounded to microseconds, also to later ones.
    start = time - timedelta(microseconds=1)
    return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": start}
