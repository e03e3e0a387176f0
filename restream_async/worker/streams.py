"""The streams that all share: made if absent, else compared.

Three of them: commands (a work queue: what is done is gone, and its stream key with it), outcomes
(for a week) and dead letters (for good).
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from restream_async.errors import ConfigurationError
from restream_async.worker.nats_options import explained
from restream_async.worker.subjects import Subjects

WINDOW: Final = 2 * 3600.0
"""Seconds for which the stream of commands knows a message again and drops it."""

_OUTCOMES_KEPT: Final = 7 * 24 * 3600.0
_SALT: Final = "restream-async-salt"
_ADVISORY: Final = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"


async def declare_streams(
    jetstream: JetStreamContext, names: Subjects, *, replicas: int = 1
) -> bytes:
    """Make the streams if they are absent; return the salt of the ids of messages.

    Args:
        jetstream: of an open connection.
        names: what to call them.
        replicas: on how many servers of a cluster each is kept, if it has to be made.

    Raises:
        ConfigurationError: one is there with settings that would lose messages, or JetStream
            cannot be used.

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
    with explained():
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
    compare(f"the stream {name}", found, wanted, compared)
    return found


def compare(what: str, found: object, wanted: object, names: Sequence[str]) -> None:
    """Refuse settings that differ from ours, instead of fighting over them.

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
