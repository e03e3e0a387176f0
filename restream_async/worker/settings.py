"""The settings of a worker process. Needs no library of NATS."""

from collections.abc import Callable
from typing import Final

import attrs

from restream_async._retry.policy import RetryPolicy
from restream_async.destinations import Destination
from restream_async.errors import ConfigurationError, RestreamError
from restream_async.handling.message_handler import SHUTDOWN_TIMEOUT
from restream_async.handling.redelivery import MOST_DELIVERIES, REDELIVERY
from restream_async.worker.event_rules import DEFAULT_RULES, Rule
from restream_async.worker.health_address import HealthAddress
from restream_async.worker.subjects import Subjects

MAX_DELIVER: Final = MOST_DELIVERIES + REDELIVERY.attempts
"""Deliveries after which the server gives up a message and notes it in the dead letters. Workers
give it up earlier."""

# A message that kills workers becomes a dead letter at delivery `2 * attempts + 1`.
_MOST_ATTEMPTS: Final = (MAX_DELIVER - 1) // 2


def _carried(settings: object, field: "attrs.Attribute[RetryPolicy]", policy: RetryPolicy) -> None:
    del settings
    if policy.attempts > _MOST_ATTEMPTS:
        raise ConfigurationError(
            f"WorkerSettings: {field.name}.attempts must be at most {_MOST_ATTEMPTS}, because the "
            f"server gives up a message after {MAX_DELIVER} deliveries"
        )


@attrs.frozen(kw_only=True)
class WorkerSettings:
    """How a worker works.

    Attributes:
        subjects: the names of streams, consumer and subjects on the NATS server.
        concurrency: the most messages that this process handles at the same time.
        global_concurrency: the most messages that all workers on all machines handle at the same
            time. It is a setting of the shared consumer and is changed there. None: unchanged, or
            64 for a new consumer.
        ack_wait: seconds after which the server delivers a message again if its worker has died.
            None: as the consumer has it, or 30 for a new one.
        replicas: the number of servers of a cluster that keep a copy of a stream, if the stream
            does not exist yet.
        shutdown_timeout: seconds in which messages may finish after the worker was stopped.
            The others get a NAK, and the server delivers them again after `ack_wait`.
        destinations: where the live videos of events are pushed to. Without destinations the worker
            leaves events of the platform to other workers.
        rules: what to do for which event.
        redelivery: the number of deliveries after which a failing message becomes a dead letter,
            at most 11, and the delay before each delivery.
        trust_stream: if true, a first delivery creates its restreams without an existence check.
            Only safe if nothing else creates the same restreams, nothing is published twice more
            than two hours apart, and the server is never restarted: a restart makes it forget
            which messages it has seen.
        health: where probes and metrics are served by HTTP; None: nowhere.
        error_text: returns the text of an error for the log and the outcomes. By default errors
            name the arguments of `RestreamClient`.

    Raises:
        ConfigurationError: `redelivery` allows more deliveries than the server makes.

    """

    subjects: Subjects = attrs.field(factory=Subjects)
    concurrency: int = 16
    global_concurrency: int | None = None
    ack_wait: float | None = None
    replicas: int = 1
    shutdown_timeout: float = SHUTDOWN_TIMEOUT
    destinations: tuple[Destination, ...] = ()
    rules: tuple[Rule, ...] = DEFAULT_RULES
    redelivery: RetryPolicy = attrs.field(default=REDELIVERY, validator=_carried)
    trust_stream: bool = False
    health: HealthAddress | None = None
    error_text: Callable[[RestreamError], str] = str
