"""The consumer that all workers share: made if absent, else compared; and watched while they work.

It is durable. Its `max_ack_pending` is how many messages may be under way over all machines, and
as a message is never more than one request at a time, that is the cap on requests in flight. It is
the one setting that is changed on a consumer that is there: no worker goes by it, only the server.

It also remembers what was delivered. Where somebody deletes it, that memory is gone: the next one
delivers everything as if for the first time, also what was being created at that moment. So the
stream notes that it has had a consumer. A second one is made only when nobody works any more on
what the first one delivered, and workers do not trust the stream about what it finds there.
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

from restream_async.errors import ConfigurationError, RestreamError
from restream_async.worker.handling import REDELIVERY, UNTRIED
from restream_async.worker.nats_options import UNREACHABLE, explained
from restream_async.worker.streams import compare
from restream_async.worker.subjects import Subjects

IN_FLIGHT: Final = 64
ACK_WAIT: Final = 30.0

# Workers give up a message before the server does, which then says so among the dead letters.
_MAX_DELIVER: Final = UNTRIED + REDELIVERY.attempts
# Each place of each worker waits with a request of its own; beyond this the server sends them away.
_MAX_WAITING: Final = 8192
# Metadata. Of the stream: that it has had the consumer with the name that follows.
_HAD: Final = "restream-async-had-"
# Of the consumer: the number of the last message that an earlier one may have delivered.
_LOOK_UNTIL: Final = "restream-async-look-until"

_log: Final = logging.getLogger("restream_async.worker")


class GoneError(RestreamError):
    """A consumer or stream that a running worker needs was deleted; the message names it."""


@attrs.frozen(kw_only=True)
class Consumer:
    """The consumer as it is on the server.

    Attributes:
        in_flight: messages under way over all machines, at most.
        ack_wait: seconds after which a message that nobody works on is delivered again.
        look_until: the number of the last message of the stream that a deleted consumer may have
            delivered before; 0 if there was none.

    """

    in_flight: int
    ack_wait: float
    look_until: int


async def declare_consumer(
    jetstream: JetStreamContext,
    names: Subjects,
    *,
    in_flight: int | None = None,
    ack_wait: float | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Consumer:
    """Make the consumer if it is absent, or change its cap; return what it is like.

    Args:
        jetstream: of an open connection.
        names: what things are called.
        in_flight: messages under way over all machines, at most; a consumer that is there is
            changed. None: as it is, else 64.
        ack_wait: seconds after which a message that nobody works on is delivered again; None: as
            it is, else 30.
        sleep: waits for so many seconds.

    Raises:
        ConfigurationError: it is there with other settings, or JetStream cannot be used.

    """
    wanted = ConsumerConfig(
        durable_name=names.durable,
        description="the workers, on all machines",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        filter_subject=names.subject,
        max_ack_pending=in_flight if in_flight is not None else IN_FLIGHT,
        ack_wait=ack_wait if ack_wait is not None else ACK_WAIT,
        max_deliver=_MAX_DELIVER,
        max_waiting=_MAX_WAITING,
    )
    with explained():
        found = await _found_or_made(jetstream, names, wanted, sleep)
    what = f"the consumer {names.durable} of the stream {names.stream}"
    if found.deliver_subject:
        raise ConfigurationError(f"{what} is a push consumer: name another one")
    compared = ["ack_policy", "filter_subject", "max_deliver"]
    compared += ["ack_wait"] if ack_wait is not None else []
    compare(what, found, wanted, compared)
    if in_flight not in {None, found.max_ack_pending}:
        before = found.max_ack_pending
        found = dataclasses.replace(found, max_ack_pending=in_flight)
        with explained():
            await jetstream.add_consumer(names.stream, found)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        _log.info(
            "%s now gives out at most %d messages at once to all workers together; it was %s",
            what,
            in_flight,
            before,
        )
    return Consumer(
        in_flight=found.max_ack_pending or IN_FLIGHT,
        ack_wait=found.ack_wait or ACK_WAIT,
        look_until=int((found.metadata or {}).get(_LOOK_UNTIL, 0)),
    )


async def missing(jetstream: JetStreamContext, consumers: Iterable[Subjects]) -> str:
    """Return what of that which workers need is not there any more; empty: all is, or may be.

    Args:
        jetstream: of an open connection.
        consumers: what things are called, once for each consumer.

    """
    what = ""
    try:
        for names in consumers:
            what = f"the consumer {names.durable} of the stream {names.stream}"
            await jetstream.consumer_info(names.stream, names.durable)
            for stream in (names.outcomes_stream, names.dead_stream):
                what = f"the stream {stream}"
                await jetstream.stream_info(stream)
    except nats.js.errors.NotFoundError:
        return what
    except UNREACHABLE:
        # A server that is away comes back, with all it had.
        return ""
    return ""


async def _found_or_made(
    jetstream: JetStreamContext,
    names: Subjects,
    wanted: ConsumerConfig,
    sleep: Callable[[float], Awaitable[object]],
) -> ConsumerConfig:
    with contextlib.suppress(nats.js.errors.NotFoundError):
        found: ConsumerInfo = await jetstream.consumer_info(names.stream, names.durable)
        return found.config
    stream = await jetstream.stream_info(names.stream)
    metadata = stream.config.metadata or {}
    had = f"{_HAD}{names.durable}"
    if had in metadata:
        seconds = wanted.ack_wait or ACK_WAIT
        _log.warning(
            "the consumer %s was deleted: waiting %g s, until nobody works on its messages any "
            "more, before another one is made",
            names.durable,
            seconds,
        )
        await sleep(seconds)
        wanted.metadata = {_LOOK_UNTIL: str(stream.state.last_seq)}
    else:
        # Noted first: one that was noted and not made costs some looks, one that was made and not
        # noted a restream that is there twice.
        stream.config.metadata = {**metadata, had: "yes"}
        await jetstream.update_stream(stream.config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    made: ConsumerInfo = await jetstream.add_consumer(names.stream, wanted)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    return made.config
