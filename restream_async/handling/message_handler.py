"""What becomes of a message: done, delivered again, or a dead letter. Knows no broker.

The same restream is asked for more than once: a worker that was killed may have created it without
a report, and a broker forgets which messages it has seen. So a worker checks whether a restream
exists before it creates it. For a first delivery the client may use a list that is up to a second
old. A later delivery, or one with the header `Restream-Check-First`, gets a fresh list. A worker
that trusts the stream skips the check at first deliveries.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol

import attrs

from restream_async._retry.policy import RetryPolicy
from restream_async.errors import (
    ApiError,
    CertificateError,
    ClientClosedError,
    NotSentError,
    OutageError,
    ProxyError,
    RestreamError,
)
from restream_async.handling.command_messages import Item, Unusable, decode
from restream_async.handling.redelivery import (
    MOST_DELIVERIES,
    REDELIVERY,
    is_permanent,
    refuses_key,
)
from restream_async.models import Created, Failed, NewRestream, Outcome
from restream_async.stats import Stats

SHUTDOWN_TIMEOUT: Final = 7.0
"""Seconds in which messages in progress may finish when a worker stops. A worker stops within 10
seconds in all, because container engines kill a process that takes longer."""

# These errors say that the service cannot be reached, and nothing about the message.
_UNREACHABLE: Final = (OutageError, CertificateError, ProxyError)
# These errors say that the client drains or is closed, and nothing about the message.
_CLIENT_ENDS: Final = (ClientClosedError, NotSentError)
# Seconds until the next attempt during an outage; meanwhile the client probes the service.
_OUTAGE_PAUSE: Final = 1.0
# Seconds until the next attempt with a refused key: only a person can help.
_REFUSED_KEY_PAUSE: Final = 15.0
_OUTAGE: Final = "the service cannot be reached, so this worker holds its messages: {}"
_REFUSED_KEY: Final = "the service refuses the API key, so this worker holds its messages: {}"
_LOG_INTERVAL: Final = 60.0

_log: Final = logging.getLogger("restream_async.handling")


class Client(Protocol):
    """The part of a `RestreamClient` that handling needs."""

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        """Create a restream, with `ensure` only if it is absent, and return the outcome."""
        ...

    def stats(self) -> Stats:
        """Return the state of the client."""
        ...


@attrs.frozen(kw_only=True)
class DeadItem:
    """A restream of a message, or the whole message, that will not be created.

    Attributes:
        index: its position in the message, from 0.
        reason: why it will not be created, without secrets.
        failed: the last failure; None: it was not tried, mostly because it could not be read.
        item: what was not tried: the restream, or the parts of it that could be read; None: no
            part could be read.

    """

    index: int
    reason: str
    failed: Failed | None = None
    item: Item | None = None


@attrs.frozen(kw_only=True)
class Handled:
    """What becomes of a message.

    Attributes:
        done: the restreams that exist now; their `index` is the position in the message.
        dead: the restreams that will not be created, for the dead letters.
        delay: seconds until the message is to be delivered again; None: it is not.
        reason: why it is to be delivered again, without secrets; empty if the log says it for all
            messages together.

    """

    done: tuple[Created, ...] = ()
    dead: tuple[DeadItem, ...] = ()
    delay: float | None = None
    reason: str = ""

    @property
    def verdict(self) -> Literal["done", "retry", "dead"]:
        """What the consumer tells its broker.

        - "done": acknowledge it.
        - "retry": deliver it again after `delay` seconds. It is reported at its last delivery.
        - "dead": never deliver it again. `dead` has at least one restream, `done` those that exist.
        """
        if self.delay is not None:
            return "retry"
        return "dead" if self.dead else "done"


@attrs.define
class HoldLog:
    """Logs that a worker holds its messages, and why: at once, then at most once a minute.

    Attributes:
        now: a monotonic clock, in seconds.

    """

    now: Callable[[], float] = time.monotonic
    _logged: float | None = attrs.field(default=None, init=False)

    def held(self, why: str) -> None:
        """Note that messages are held."""
        if self._logged is None or self.now() - self._logged >= _LOG_INTERVAL:
            self._logged = self.now()
            _log.warning(why)

    def released(self) -> None:
        """Note that a message was processed."""
        if self._logged is not None:
            self._logged = None
            _log.info("this worker goes on: the service answers again")


def _never() -> bool:
    return False


@attrs.frozen
class MessageHandler:
    """Processes messages: creates the restreams that a message asks for.

    Handles any number of messages at the same time. Only the client limits the requests in flight.

    Attributes:
        client: an open `RestreamClient`, shared by all messages of a process.
        redelivery: after how many deliveries a failing message becomes a dead letter, and the
            delays between them, in seconds.
        trust_stream: if true, a first delivery creates without an existence check: the stream is
            the only source of restreams, and never forgets a message that it has seen.
        stopping: returns whether the consumer stops. Then no restream is started any more, and
            messages that have not ended get the verdict "retry" with a delay of 0.
        hold_log: logs that messages are held.
        error_text: returns the text of an error, for the log and the reasons.
        sleep: waits for so many seconds, while a message is held.
        random: returns a random number from 0 up to 1.

    """

    client: Client
    redelivery: RetryPolicy = attrs.field(default=REDELIVERY, kw_only=True)
    trust_stream: bool = attrs.field(default=False, kw_only=True)
    stopping: Callable[[], bool] = attrs.field(default=_never, kw_only=True)
    hold_log: HoldLog = attrs.field(factory=HoldLog, kw_only=True)
    error_text: Callable[[RestreamError], str] = attrs.field(default=str, kw_only=True)
    sleep: Callable[[float], Awaitable[None]] = attrs.field(default=asyncio.sleep, kw_only=True)
    random: Callable[[], float] = attrs.field(default=random.random, kw_only=True)

    async def handle(self, data: bytes, delivery: int, *, check_first: bool = False) -> Handled:
        """Create what a message asks for, and return what the consumer tells its broker.

        While the service cannot be reached or refuses the key, the message is held here instead of
        delivered again, for as long as that takes. So an outage uses up no deliveries.

        It can be cancelled at any time. Then the restream may exist or not, and the message has to
        be delivered again.

        Args:
            data: the message: JSON, one restream or a list of them, with the field names of the
                service. A message that cannot be read gets the verdict "dead".
            delivery: the number of this delivery of the message, from 1. From 2 on, the existence
                check asks the service for a fresh list.
            check_first: whether an earlier consumer may have worked on the message although
                `delivery` is 1, because the broker does not count or has forgotten. Then the check
                is that of a later delivery.

        Raises:
            ValueError: `delivery` is less than 1. Some brokers count from 0.

        """
        if delivery < 1:
            raise ValueError(
                f"delivery must be 1 or more, not {delivery}: brokers may count from 0"
            )
        items = decode(data)
        if isinstance(items, Unusable):
            return Handled(dead=(DeadItem(index=0, reason=items.reason),))
        done: list[Created] = []
        dead: list[DeadItem] = []
        most = max(MOST_DELIVERIES, 2 * self.redelivery.attempts)
        # One after the other, so that a message is never more than one request at a time.
        for index, item in enumerate(items):
            if isinstance(item, Unusable):
                dead.append(DeadItem(index=index, reason=item.reason, item=item))
                continue
            if delivery > most:
                reason = f"delivered {delivery} times without an end: it probably kills workers"
                dead.append(DeadItem(index=index, reason=reason, item=item))
                continue
            outcome = await self._create(item, tried=check_first or delivery > 1)
            if outcome is None:
                return Handled(delay=0.0, reason="the worker stops")
            outcome = attrs.evolve(outcome, index=index)
            if isinstance(outcome, Created):
                done.append(outcome)
                continue
            reason = self.error_text(outcome.error)
            if not is_permanent(outcome.error):
                if delivery < self.redelivery.attempts or self._ends(outcome.error):
                    # Items that have ended end the same way again, and are reported with the last.
                    return Handled(delay=self._delay(outcome.error, delivery), reason=reason)
                reason = f"given up after {delivery} deliveries: {reason}"
            dead.append(DeadItem(index=index, reason=reason, failed=outcome))
        return Handled(done=tuple(done), dead=tuple(dead))

    async def hold(self, error: RestreamError | None) -> bool:
        """Wait if an error is about the service or the key; return whether to try again then."""
        hold = self._hold_after(error) if error is not None else None
        if hold is None:
            self.hold_log.released()
            return False
        why, seconds = hold
        self.hold_log.held(why)
        await self.sleep(seconds)
        return True

    def _delay(self, error: RestreamError, delivery: int) -> float:
        retry_after = error.retry_after if isinstance(error, ApiError) else None
        return self.redelivery.wait(delivery, retry_after, self.random())

    def _ends(self, error: RestreamError) -> bool:
        """Return whether an error comes from the end of this process, so that no limit applies."""
        return self.stopping() or isinstance(error, _CLIENT_ENDS)

    async def _create(self, new: NewRestream, *, tried: bool) -> Outcome | None:
        """Create a restream and return its outcome, or None if the worker stops first."""
        while not self.stopping():
            check = tried or not self.trust_stream
            outcome = await self.client.outcome(new, ensure=check, recent=not tried)
            if not await self.hold(outcome.error if isinstance(outcome, Failed) else None):
                return outcome
            tried = True
        return None

    def _hold_after(self, error: RestreamError) -> tuple[str, float] | None:
        """Return why and for how many seconds a message is held after an error, or None."""
        if refuses_key(error):
            return _REFUSED_KEY.format(self.error_text(error)), _REFUSED_KEY_PAUSE
        unreachable = isinstance(error, _UNREACHABLE) or self.client.stats().state == "open"
        if unreachable and not is_permanent(error):
            return _OUTAGE.format(self.error_text(error)), _OUTAGE_PAUSE
        return None
