"""What becomes of a message: done, again after so many seconds, or never. Knows no broker.

The same restream is asked for more than once: a worker that was killed may have created it without
telling anybody, and a broker forgets which messages it has seen. So a worker checks whether a
restream exists before it creates it. For a first delivery the client may use a list that is at most
a second old; a later one, or one with `Restream-Look-First`, always gets a fresh list. A worker
that trusts the stream skips the check at first deliveries.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol

import attrs

from restream_async._retry.classification import Classification, classify_status
from restream_async._retry.policy import RetryPolicy
from restream_async.errors import (
    ApiError,
    CertificateError,
    ForbiddenError,
    InvalidRestreamError,
    OutageError,
    ProxyError,
    RestreamError,
    UnauthorizedError,
)
from restream_async.models import Created, Failed, NewRestream, Outcome
from restream_async.stats import Stats
from restream_async.worker.commands import Item, Unusable, decode

REDELIVERY: Final = RetryPolicy(attempts=8, base=1.0, cap=10.0)
"""At which delivery a message that fails is given up, and how long it rests in between.

Beneath it the client has tried several times at each delivery. Rests are short, at most 45 seconds
in all for a message that asks for no more with `Retry-After`: to the server a message that rests
is not acknowledged, so it holds one of the consumer's places (`max_ack_pending`). Where as many
messages as there are places fail, and only they, fresh ones wait until the first of them is given
up. Where all fail it is an outage, and nothing is given up.
"""

UNTRIED: Final = 2 * REDELIVERY.attempts
"""Deliveries after which a message is given up without one more try: workers seem to die of it.

Twice as many as failures, because a worker that ends gives back what it holds, and that counts as
a delivery too: restarts during a long outage condemn nothing.
"""

# The service is gone for every message, and not because of one.
_UNREACHABLE: Final = (OutageError, CertificateError, ProxyError)
GRACE: Final = 7.0
"""Seconds that messages under way may take to finish when a worker is told to end. A worker
ends within 10 seconds in all. Container engines kill a process that takes longer."""

# Seconds until the next look whether the service is back; meanwhile the client probes.
_HOLD: Final = 1.0
# With a key that is refused, only a person can help.
_LOCKED_OUT_SECONDS: Final = 15.0
_GONE: Final = "the service cannot be reached, so this worker holds its messages: {}"
_LOCKED_OUT: Final = "the service refuses the API key, so this worker holds its messages: {}"
# Seconds between two lines of the log that say that a worker holds.
_SAY_AGAIN: Final = 60.0

_log: Final = logging.getLogger("restream_async.worker")


class Client(Protocol):
    """What handling needs of a `RestreamClient`."""

    async def outcome(
        self, new: NewRestream, *, ensure: bool = False, recent: bool = False
    ) -> Outcome:
        """Create a restream, with `ensure` only if it is absent, and return how that ended."""
        ...

    def stats(self) -> Stats:
        """Return what the client is doing now."""
        ...


@attrs.frozen(kw_only=True)
class Refused:
    """A restream of a message, or all of it, that will not be created however often it is tried.

    Attributes:
        index: its place in the list, from 0.
        reason: why, in words, without secrets.
        failed: how the last try ended; None: it was not tried, most often because it could not be
            read.
        item: what was not tried: the restream, or what could be read of it; None: nothing could.

    """

    index: int
    reason: str
    failed: Failed | None = None
    item: Item | None = None


@attrs.frozen(kw_only=True)
class Handled:
    """What became of a message.

    Attributes:
        done: what exists now, by its index in the message.
        refused: what never will, for the dead letters.
        again: seconds after which the message is to be delivered again; None: never.
        reason: why it is to be delivered again; empty where it was said for all at once.

    """

    done: tuple[Created, ...] = ()
    refused: tuple[Refused, ...] = ()
    again: float | None = None
    reason: str = ""

    @property
    def verdict(self) -> Literal["done", "again", "never"]:
        """Whether the message is done with, comes again, or is a dead letter at least in part."""
        if self.again is not None:
            return "again"
        return "never" if self.refused else "done"


@attrs.define
class Hold:
    """Says in the log that a worker holds its messages, and why: at once, and every minute.

    Attributes:
        now: seconds on a clock that never goes back.

    """

    now: Callable[[], float] = time.monotonic
    _said: float | None = attrs.field(default=None, init=False)

    def on(self, why: str) -> None:
        """Note that messages are held."""
        if self._said is None or self.now() - self._said >= _SAY_AGAIN:
            self._said = self.now()
            _log.warning(why)

    def off(self) -> None:
        """Note that a message goes on."""
        if self._said is not None:
            self._said = None
            _log.info("this worker goes on: the service answers again")


@attrs.frozen(kw_only=True)
class Handler:
    """Carries out messages.

    Attributes:
        client: shared by all messages of a process.
        redelivery: at which delivery a message that fails is given up, and its rest in between.
        trust_stream: create at a first delivery without a check: the stream is the only source of
            restreams, and never forgets a message that it has seen.
        stopping: says whether this worker is about to end, so that nothing new is begun.
        hold: says that messages are held.
        told: puts an error into words, for the log and the reasons.
        sleep: waits for so many seconds.
        chance: a random number from 0 up to 1.

    """

    client: Client
    redelivery: RetryPolicy = REDELIVERY
    trust_stream: bool = False
    stopping: Callable[[], bool]
    hold: Hold = attrs.field(factory=Hold)
    told: Callable[[RestreamError], str] = str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def handle(self, data: bytes, delivery: int, *, look_first: bool = False) -> Handled:
        """Carry out a message, and say what is to become of it.

        While the service is gone, or refuses the key, the message is held here instead of being
        given back, so that an outage uses up no deliveries.

        Args:
            data: the message.
            delivery: which delivery of it this is, from 1.
            look_first: it may have been tried before, so the first delivery is as uncertain as a
                later one.

        """
        items = decode(data)
        if isinstance(items, Unusable):
            return Handled(refused=(Refused(index=0, reason=items.reason),))
        done: list[Created] = []
        refused: list[Refused] = []
        # One after the other: a message is never more than one request to the service.
        for index, item in enumerate(items):
            if isinstance(item, Unusable):
                refused.append(Refused(index=index, reason=item.reason, item=item))
                continue
            if delivery > UNTRIED:
                reason = f"delivered {delivery} times, and no worker lived to see it through"
                refused.append(Refused(index=index, reason=reason, item=item))
                continue
            end = await self._settle(item, tried=look_first or delivery > 1)
            if end is None:
                return Handled(again=0.0, reason="the worker is ending")
            end = attrs.evolve(end, index=index)
            if isinstance(end, Created):
                done.append(end)
            elif is_final(end.error):
                refused.append(Refused(index=index, reason=self.told(end.error), failed=end))
            elif delivery >= self.redelivery.attempts:
                reason = f"given up after {delivery} deliveries: {self.told(end.error)}"
                refused.append(Refused(index=index, reason=reason, failed=end))
            else:
                return self._again(end.error, delivery)
        return Handled(done=tuple(done), refused=tuple(refused))

    def _again(self, error: RestreamError, delivery: int) -> Handled:
        # What has ended will end the same way again, and is told of when all of the message has.
        asked = error.retry_after if isinstance(error, ApiError) else None
        seconds = self.redelivery.wait(delivery, asked, self.chance())
        return Handled(again=seconds, reason=self.told(error))

    def note_outage(self) -> None:
        """Say that messages are held, if the service is gone now."""
        stats = self.client.stats()
        if stats.state == "open":
            self.hold.on(_GONE.format(stats.last_error))

    async def _settle(self, new: NewRestream, *, tried: bool) -> Outcome | None:
        """Bring a restream to its end; None: this worker ends first."""
        while not self.stopping():
            check = tried or not self.trust_stream
            end = await self.client.outcome(new, ensure=check, recent=not tried)
            held = self._held(end.error) if isinstance(end, Failed) else None
            if held is None:
                self.hold.off()
                return end
            why, seconds = held
            self.hold.on(why)
            await self.sleep(seconds)
            tried = True
        return None

    def _held(self, error: RestreamError) -> tuple[str, float] | None:
        """Return why a message is held after an error, and for how long; None: it is not."""
        if _refuses_key(error):
            return _LOCKED_OUT.format(self.told(error)), _LOCKED_OUT_SECONDS
        gone = isinstance(error, _UNREACHABLE) or self.client.stats().state == "open"
        if gone and not is_final(error):
            return _GONE.format(self.told(error)), _HOLD
        return None


def is_final(error: RestreamError) -> bool:
    """Say whether trying again can't help.

    A key that is refused says nothing about the restream: with the right one it may be created.
    """
    if isinstance(error, ApiError):
        return classify_status(error.status) is Classification.REFUSED and not _refuses_key(error)
    return isinstance(error, InvalidRestreamError)


def _refuses_key(error: RestreamError) -> bool:
    # A key that may not list says nothing about this one restream either.
    may_not_list = isinstance(error, ForbiddenError) and error.call.method == "GET"
    return may_not_list or isinstance(error, UnauthorizedError)
