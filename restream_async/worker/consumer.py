"""The shared consumer: created if absent, else compared; and checked while workers run.

It is durable. Its `max_ack_pending` limits the messages in progress on all machines together. A
message is never more than one request at a time, so this is also the limit of requests in flight.
It is the only setting that is changed on an existing consumer, because only the server uses it.

The consumer remembers which messages were delivered. If it is deleted, that memory is gone: a new
one delivers every message as if for the first time, even those in progress. So the stream notes
that it has had a consumer. A second consumer is created only after the work on the messages of the
first one has ended, and workers check first for all messages that it may have delivered.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import attrs
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from restream_async.errors import ConfigurationError
from restream_async.worker.nats_connection import NATS_ERRORS, jetstream_setup
from restream_async.worker.settings import MAX_DELIVER
from restream_async.worker.streams import compare, wanted_streams
from restream_async.worker.subjects import Subjects

GLOBAL_CONCURRENCY: Final = 64
ACK_WAIT: Final = 30.0

# Each slot of each worker has one fetch waiting. The server refuses more fetches than this.
_MAX_WAITING: Final = 8192
# Seconds in which another worker that has noted the consumer creates it.
_RECHECK_SECONDS: Final = 1.0
# Key in the metadata of the stream: it has had the consumer with the name that follows.
_HAD: Final = "restream-async-had-"
# Key in the metadata of the consumer: the number of the last message that an earlier consumer may
# have delivered.
_CHECK_UNTIL: Final = "restream-async-check-until"

_log: Final = logging.getLogger("restream_async.worker")


@attrs.frozen(kw_only=True)
class Consumer:
    """The consumer on the server.

    Attributes:
        global_concurrency: the most messages in progress on all machines together.
        ack_wait: seconds after which an unacknowledged message is delivered again.
        check_until: the number of the last message of the stream that a deleted consumer may have
            delivered; 0: there was none. Messages up to it always get an existence check.

    """

    global_concurrency: int
    ack_wait: float
    check_until: int = 0


async def declare_consumer(  # noqa: PLR0913 - one keyword for each setting
    jetstream: JetStreamContext,
    subjects: Subjects,
    *,
    events: bool = False,
    global_concurrency: int | None = None,
    ack_wait: float | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Consumer:
    """Create the consumer if it is absent, or change its global concurrency.

    Args:
        jetstream: of an open connection.
        subjects: the names to use.
        events: whether this is about the consumer of events instead of that of commands.
        global_concurrency: the most messages in progress on all machines together; changed on an
            existing consumer. None: unchanged, or 64.
        ack_wait: seconds after which an unacknowledged message is delivered again. None: as the
            existing consumer has it, or 30.
        sleep: waits for so many seconds.

    Returns:
        the consumer as it is now.

    Raises:
        ConfigurationError: it exists with other settings, or JetStream cannot be used.

    """
    stream = subjects.stream
    wanted = ConsumerConfig(
        durable_name=subjects.events_consumer if events else subjects.consumer,
        description="the workers, on all machines",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        filter_subject=subjects.events if events else subjects.commands,
        max_ack_pending=global_concurrency
        if global_concurrency is not None
        else GLOBAL_CONCURRENCY,
        ack_wait=ack_wait if ack_wait is not None else ACK_WAIT,
        max_deliver=MAX_DELIVER,
        max_waiting=_MAX_WAITING,
    )
    with jetstream_setup():
        found = await _find_or_create(jetstream, stream, wanted, sleep)
    what = f"the consumer {wanted.durable_name} of the stream {stream}"
    if found.deliver_subject:
        raise ConfigurationError(f"{what} is a push consumer: name another one")
    compared = ["ack_policy", "filter_subject", "max_deliver"]
    compared += ["ack_wait"] if ack_wait is not None else []
    compare(what, found, wanted, compared)
    if global_concurrency not in {None, found.max_ack_pending}:
        before = found.max_ack_pending
        found = dataclasses.replace(found, max_ack_pending=global_concurrency)
        with jetstream_setup():
            await jetstream.add_consumer(stream, found)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        _log.info(
            "%s now allows at most %d messages in progress on all machines together; before: %s",
            what,
            global_concurrency,
            before,
        )
    return Consumer(
        global_concurrency=found.max_ack_pending or GLOBAL_CONCURRENCY,
        ack_wait=found.ack_wait or ACK_WAIT,
        check_until=int((found.metadata or {}).get(_CHECK_UNTIL, 0)),
    )


async def find_deleted(
    jetstream: JetStreamContext, subjects: Subjects, consumers: Iterable[str]
) -> str | None:
    """Return which stream or consumer that workers need was deleted; empty: none is.

    None: the server cannot be reached, or does not answer.
    """
    what = ""
    try:
        for stream in wanted_streams(subjects):
            what = f"the stream {stream.name}"
            await jetstream.stream_info(stream.name)
        for consumer in consumers:
            what = f"the consumer {consumer} of the stream {subjects.stream}"
            await jetstream.consumer_info(subjects.stream, consumer)
    except nats.js.errors.NotFoundError:
        return what
    except NATS_ERRORS:
        return None
    return ""


async def _find_or_create(
    jetstream: JetStreamContext,
    stream_name: str,
    wanted: ConsumerConfig,
    sleep: Callable[[float], Awaitable[object]],
) -> ConsumerConfig:
    name = wanted.durable_name or ""
    if found := await _find(jetstream, stream_name, name):
        return found
    stream = await jetstream.stream_info(stream_name)
    metadata = stream.config.metadata or {}
    had = f"{_HAD}{name}"
    if had in metadata:
        # Another worker may have noted it a moment ago, and be about to create the first one.
        await sleep(_RECHECK_SECONDS)
        if found := await _find(jetstream, stream_name, name):
            return found
        seconds = wanted.ack_wait or ACK_WAIT
        _log.warning(
            "the consumer %s was deleted: waiting %g s, until all work on its messages has ended, "
            "before a new one is created",
            name,
            seconds,
        )
        await sleep(seconds)
        wanted.metadata = {_CHECK_UNTIL: str(stream.state.last_seq)}
    else:
        # The note comes first. A note without a consumer costs a few existence checks; a consumer
        # without a note could create a restream twice.
        stream.config.metadata = {**metadata, had: "yes"}
        await jetstream.update_stream(stream.config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    created: ConsumerInfo = await jetstream.add_consumer(stream_name, wanted)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    return created.config


async def _find(jetstream: JetStreamContext, stream: str, name: str) -> ConsumerConfig | None:
    with contextlib.suppress(nats.js.errors.NotFoundError):
        found: ConsumerInfo = await jetstream.consumer_info(stream, name)
        return found.config
    return None
