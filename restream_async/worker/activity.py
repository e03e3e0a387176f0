"""Private: what a worker is doing, in numbers, and so whether it is alive and ready."""

import contextlib
from collections.abc import Generator
from typing import Final, Literal, TypeAlias, get_args

import attrs
from nats.aio.client import Client

from restream_async.client import RestreamClient

Verdict: TypeAlias = Literal["done", "retry", "dead", "nak", "lease_lost", "bug"]
"""What became of one delivery of a message. Besides the verdicts of `Handled`: `nak`: it was
unfinished when the worker stopped; `lease_lost`: the NATS server was away for too long; `bug`."""

_VERDICTS: Final = get_args(Verdict)


@attrs.define(kw_only=True)
class Activity:
    """What a worker is doing.

    Attributes:
        slots: how many messages it handles at the same time at most.
        connection: to the NATS server; None: not yet connected.
        client: of the service; None: not yet opened.
        pulling: how many slots fetch messages, or process one.
        answered: whether the NATS server has answered the latest question whether consumer and
            streams exist.
        stopping: whether the worker fetches no more messages.
        in_progress: messages in progress.
        redelivered: deliveries of messages that had been delivered before.
        verdicts: how many deliveries ended how.
        unpublished: attempts to publish an outcome or a dead letter that have failed.

    """

    slots: int = 1
    connection: Client | None = None
    client: RestreamClient | None = None
    pulling: int = 0
    answered: bool = True
    stopping: bool = False
    in_progress: int = 0
    redelivered: int = 0
    verdicts: dict[Verdict, int] = attrs.field(factory=lambda: dict.fromkeys(_VERDICTS, 0))
    unpublished: int = 0

    @contextlib.contextmanager
    def pull(self) -> Generator[None]:
        """Count a slot that fetches and processes messages in this block."""
        self.pulling += 1
        try:
            yield
        finally:
            self.pulling -= 1

    @contextlib.contextmanager
    def message(self, delivery: int) -> Generator[None]:
        """Count a message as in progress in this block; `delivery` is its number, from 1."""
        self.in_progress += 1
        self.redelivered += delivery > 1
        try:
            yield
        finally:
            self.in_progress -= 1

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to the NATS server now."""
        return self.connection is not None and self.connection.is_connected

    def liveness_problem(self) -> str:
        """Return why only a restart can help the worker; empty: it is alive."""
        if self.connection is not None and self.connection.is_closed:
            return "the connection to the NATS server is closed for good"
        return ""

    def nats_problem(self) -> str:
        """Return why the NATS server delivers nothing now; empty: it does."""
        if not self.is_connected:
            return self.liveness_problem() or "the connection to the NATS server is lost"
        return "" if self.answered else "the NATS server does not answer"

    def readiness_problem(self) -> str:
        """Return why the worker takes no messages now; empty: it does."""
        if self.stopping:
            return f"stopping; messages in progress: {self.in_progress}"
        if self.connection is None:
            return "starting"
        return self.nats_problem() or ("" if self.pulling >= self.slots else "starting")

    def outage(self) -> str:
        """Return the last error if the service cannot be reached now, else nothing."""
        stats = None if self.client is None else self.client.stats()
        return "" if stats is None or stats.state == "closed" else stats.last_error or "no answer"
