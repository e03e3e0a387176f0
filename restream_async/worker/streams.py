"""The shared streams: created if absent, else compared.

There are four: commands (a work queue, so that a processed message and its stream key are gone),
outcomes (kept for a week), dead letters (kept for good), and the commands of dead letters.

A dead letter holds no stream key, because many may read dead letters. So its command lies in a
stream of its own until somebody retries or drops it.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import attrs
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from restream_async.errors import ConfigurationError
from restream_async.worker.nats_connection import jetstream_setup
from restream_async.worker.subjects import Subjects

DUPLICATE_WINDOW: Final = 2 * 3600.0
"""Seconds in which the stream of commands drops a message with an id that it has seen."""

_OUTCOMES_MAX_AGE: Final = 7 * 24 * 3600.0
_SALT: Final = "restream-async-salt"
_ADVISORY: Final = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"


@attrs.frozen
class WantedStream:
    """A stream as this library makes it.

    Attributes:
        config: its settings.
        compared: the names of those that an existing stream must have too.

    """

    config: StreamConfig
    compared: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the stream."""
        return self.config.name or ""

    def check(self, found: StreamConfig) -> None:
        """Check the settings of an existing stream.

        Raises:
            ConfigurationError: it would lose messages, or something else made it.

        """
        missing = sorted(set(self.config.subjects or ()) - set(found.subjects or ()))
        if missing:
            raise ConfigurationError(
                f"the stream {self.name} does not take {', '.join(missing)}: name another stream, "
                "or change its subjects"
            )
        compare(f"the stream {self.name}", found, self.config, self.compared)
        if _SALT in (self.config.metadata or {}) and _SALT not in (found.metadata or {}):
            raise ConfigurationError(
                f"the stream {self.name} was not made by restream-async (it has no {_SALT}): name "
                "another stream"
            )


async def declare_streams(
    jetstream: JetStreamContext, subjects: Subjects, *, replicas: int = 1
) -> bytes:
    """Create the streams if they are absent; return the salt of the message ids.

    Args:
        jetstream: of an open connection.
        subjects: the names to use.
        replicas: the number of servers of a cluster that keep a copy of a new stream.

    Raises:
        ConfigurationError: a stream exists with settings that would lose messages, or JetStream
            cannot be used.

    """
    with jetstream_setup():
        commands, *_ = [
            await _declare(jetstream, each) for each in wanted_streams(subjects, replicas=replicas)
        ]
    return (commands.metadata or {})[_SALT].encode()


def wanted_streams(subjects: Subjects, *, replicas: int = 1) -> tuple[WantedStream, ...]:
    """Return the streams of commands, outcomes, dead letters and the commands of dead letters."""
    common: dict[str, Any] = {"storage": StorageType.FILE, "num_replicas": replicas}
    commands = StreamConfig(
        name=subjects.stream,
        description="restreams to create, and events that ask for some",
        subjects=[subjects.commands, subjects.events],
        retention=RetentionPolicy.WORK_QUEUE,
        # A full stream refuses new messages instead of dropping old ones.
        discard=DiscardPolicy.NEW,
        duplicate_window=DUPLICATE_WINDOW,
        metadata={_SALT: secrets.token_hex(32)},
        **common,
    )
    outcomes = StreamConfig(
        name=subjects.outcomes_stream,
        description="what became of restreams",
        subjects=[subjects.outcomes],
        retention=RetentionPolicy.LIMITS,
        max_age=_OUTCOMES_MAX_AGE,
        **common,
    )
    dead = StreamConfig(
        name=subjects.dead_stream,
        description="restreams that will not be created",
        # It also takes the server's notes about messages that the server itself gives up.
        subjects=[subjects.dead, f"{_ADVISORY}.{subjects.stream}.*"],
        retention=RetentionPolicy.LIMITS,
        **common,
    )
    dead_commands = StreamConfig(
        name=subjects.dead_commands_stream,
        description="the commands of dead letters, with stream keys",
        subjects=[subjects.dead_commands],
        retention=RetentionPolicy.LIMITS,
        # Each has a subject of its own, so a repeated one replaces the first.
        max_msgs_per_subject=1,
        **common,
    )
    return (
        WantedStream(commands, ("retention", "discard", "duplicate_window")),
        WantedStream(outcomes, ("retention",)),
        WantedStream(dead, ("retention",)),
        WantedStream(dead_commands, ("retention", "max_msgs_per_subject")),
    )


async def _declare(jetstream: JetStreamContext, wanted: WantedStream) -> StreamConfig:
    name = wanted.name
    try:
        found = (await jetstream.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        try:
            found = (await jetstream.add_stream(wanted.config)).config  # pyright: ignore[reportUnknownMemberType] - untyped keywords
        except nats.js.errors.BadRequestError as error:
            problem = error.description
            try:
                # Another process may have created it a moment earlier.
                found = (await jetstream.stream_info(name)).config
            except nats.js.errors.NotFoundError:
                raise ConfigurationError(f"the stream {name} cannot be made: {problem}") from None
    wanted.check(found)
    return found


def compare(what: str, found: object, wanted: object, names: Sequence[str]) -> None:
    """Check that a stream or consumer has the wanted settings.

    Raises:
        ConfigurationError: names each setting that differs, with both values.

    """
    differing = [
        f"{name} {_plain(getattr(found, name))} instead of {_plain(getattr(wanted, name))}"
        for name in names
        if getattr(found, name) != getattr(wanted, name)
    ]
    if differing:
        raise ConfigurationError(
            f"{what} exists with other settings: {', '.join(differing)}. Use these, name "
            "another one, or change it with the tools of NATS"
        )


def _plain(value: object) -> str:
    return str(getattr(value, "value", value))
