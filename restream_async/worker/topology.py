"""The streams and the consumer that all workers share: made if absent, else compared.

Three streams: commands (a work queue: what is done is gone, and its stream key with it), outcomes
(for a week) and dead letters (for good). The consumer is durable and shared: its
`max_ack_pending` is how many messages may be under way over all machines, and as a message is
never more than one request at a time, that is the cap on requests in flight.
"""

import secrets
from typing import Any, Final

import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from restream_async.errors import ConfigurationError
from restream_async.worker.handling import REDELIVERY
from restream_async.worker.names import Names

IN_FLIGHT: Final = 64
ACK_WAIT: Final = 30.0
WINDOW: Final = 2 * 3600.0
"""Seconds for which the stream of commands knows a message again and drops it."""

# Workers give up a message themselves. The server does so only where workers die of it again and
# again, and then says so among the dead letters.
_MAX_DELIVER: Final = 3 * REDELIVERY.attempts
# Each place of each worker waits with a request of its own; beyond this the server sends them away.
_MAX_WAITING: Final = 8192
_OUTCOMES_KEPT: Final = 7 * 24 * 3600.0
_SALT: Final = "restream-async-salt"
_ADVISORY: Final = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"


async def declare_streams(jetstream: JetStreamContext, names: Names, *, replicas: int = 1) -> bytes:
    """Make the streams if they are absent; return the salt of the ids of messages.

    Args:
        jetstream: of an open connection.
        names: what to call them.
        replicas: on how many servers of a cluster each is kept, if it has to be made.

    Raises:
        ConfigurationError: one is there with settings that would lose messages.

    """
    common: dict[str, Any] = {"storage": StorageType.FILE, "num_replicas": replicas}
    commands = StreamConfig(
        name=names.stream,
        description="restreams to create, and events that ask for some",
        subjects=[names.subject, names.events],
        retention=RetentionPolicy.WORK_QUEUE,
        # A full stream says so to whoever publishes, instead of dropping what was promised.
        discard=DiscardPolicy.NEW,
        duplicate_window=WINDOW,
        metadata={_SALT: secrets.token_hex(32)},
        **common,
    )
    outcomes = StreamConfig(
        name=names.outcomes_stream,
        description="what became of restreams",
        subjects=[names.outcomes],
        retention=RetentionPolicy.LIMITS,
        max_age=_OUTCOMES_KEPT,
        **common,
    )
    dead = StreamConfig(
        name=names.dead_stream,
        description="restreams that will not be created",
        # Also what the server itself gives up.
        subjects=[names.dead, f"{_ADVISORY}.{names.stream}.*"],
        retention=RetentionPolicy.LIMITS,
        **common,
    )
    found = await _stream(jetstream, commands, "retention", "discard", "duplicate_window")
    await _stream(jetstream, outcomes, "retention")
    await _stream(jetstream, dead, "retention")
    salt = (found.metadata or {}).get(_SALT)
    if salt is None:
        raise ConfigurationError(
            f"the stream {names.stream} was not made by restream-async (it has no "
            f"{_SALT}): name another stream"
        )
    return salt.encode()


async def declare_consumer(
    jetstream: JetStreamContext,
    names: Names,
    *,
    in_flight: int | None = None,
    ack_wait: float | None = None,
) -> tuple[int, float]:
    """Make the consumer if it is absent; return its `in_flight` and `ack_wait`.

    Args:
        jetstream: of an open connection.
        names: what things are called.
        in_flight: messages under way over all machines, at most; None: as it is, else 64.
        ack_wait: seconds after which a message that nobody works on is delivered again; None: as
            it is, else 30.

    Raises:
        ConfigurationError: it is there with other settings.

    """
    config = ConsumerConfig(
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
    try:
        info = await jetstream.consumer_info(names.stream, names.durable)
    except nats.js.errors.NotFoundError:
        info = await jetstream.add_consumer(names.stream, config)  # pyright: ignore[reportUnknownMemberType] - untyped keywords
    compared = ["ack_policy", "filter_subject", "max_deliver"]
    compared += ["max_ack_pending"] if in_flight is not None else []
    compared += ["ack_wait"] if ack_wait is not None else []
    found = info.config
    if found.deliver_subject:
        raise ConfigurationError(
            f"the consumer {names.durable} of the stream {names.stream} is a push consumer: name "
            "another one"
        )
    _compare(f"the consumer {names.durable} of the stream {names.stream}", found, config, compared)
    return found.max_ack_pending or IN_FLIGHT, found.ack_wait or ACK_WAIT


async def _stream(
    jetstream: JetStreamContext, wanted: StreamConfig, *compared: str
) -> StreamConfig:
    name = wanted.name or ""
    try:
        found = (await jetstream.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        try:
            found = (await jetstream.add_stream(wanted)).config  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        except nats.js.errors.BadRequestError as error:
            problem = error.description
            try:
                # Somebody else was quicker by a moment.
                found = (await jetstream.stream_info(name)).config
            except nats.js.errors.NotFoundError:
                raise ConfigurationError(f"the stream {name} cannot be made: {problem}") from None
    missing = sorted(set(wanted.subjects or ()) - set(found.subjects or ()))
    if missing:
        raise ConfigurationError(
            f"the stream {name} does not take {', '.join(missing)}: name another stream, or "
            "change its subjects"
        )
    _compare(f"the stream {name}", found, wanted, compared)
    return found


def _compare(
    what: str, found: object, wanted: object, names: "list[str] | tuple[str, ...]"
) -> None:
    """Refuse settings that differ.

    Raises:
        ConfigurationError: names each, with what it is and what it should be.

    """
    differing = [
        f"{name} {_plain(getattr(found, name))} instead of {_plain(getattr(wanted, name))}"
        for name in names
        if getattr(found, name) != getattr(wanted, name)
    ]
    if differing:
        raise ConfigurationError(
            f"{what} is there with other settings: {', '.join(differing)}. Use these, name "
            "another one, or change it with the tools of NATS"
        )


def _plain(value: object) -> str:
    return str(getattr(value, "value", value))
