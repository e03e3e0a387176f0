"""What becomes of a message: done, again after so many seconds, or never. Knows no broker.

Messages are delivered more than once: a worker that was killed may have created what it was asked
for without anybody knowing. So a first delivery creates, and every later one looks first.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol

import attrs

from restream_async.errors import (
    ApiError,
    InvalidRestreamError,
    OutageError,
    RestreamError,
    UnauthorizedError,
)
from restream_async.model import NewRestream, Restream
from restream_async.policy import RetryPolicy
from restream_async.stats import Stats
from restream_async.verdict import Verdict, verdict_of
from restream_async.worker.commands import Unusable, decode

REDELIVERY: Final = RetryPolicy(attempts=10, base=2.0, cap=30.0)
"""How often a message is delivered at most, and how long it rests in between.

Beneath it the client has tried several times at each delivery. Rests are short, because a message
that rests still holds one of the places of the consumer (`max_ack_pending`).
"""

# Seconds until the next look whether the service is back; meanwhile the client probes.
_HOLD: Final = 1.0
# With a key that is refused, only a person can help.
_LOCKED_OUT: Final = 15.0

_log: Final = logging.getLogger("restream_async.worker")


class Client(Protocol):
    """What handling needs of a `RestreamClient`."""

    async def create(self, new: NewRestream) -> Restream:
        """Create a restream."""
        ...

    async def ensure(self, new: NewRestream) -> Restream:
        """Create a restream unless it is there."""
        ...

    def stats(self) -> Stats:
        """Return what the client is doing now."""
        ...


@attrs.frozen(kw_only=True)
class Done:
    """A restream of a message that exists."""

    index: int
    new: NewRestream
    restream: Restream


@attrs.frozen(kw_only=True)
class Refused:
    """A restream of a message, or all of it, that will not be created however often it is tried.

    Attributes:
        index: its place in the list, from 0.
        new: what was asked for; None: that could not be read.
        error: what the client raised, or None.
        reason: why, in words, without secrets.

    """

    index: int
    new: NewRestream | None = None
    error: RestreamError | None = None
    reason: str


@attrs.frozen(kw_only=True)
class Handled:
    """What became of a message.

    Attributes:
        done: what exists now.
        refused: what never will, for the dead letters.
        again: seconds after which the message is to be delivered again; None: never.
        reason: why it is to be delivered again.

    """

    done: tuple[Done, ...] = ()
    refused: tuple[Refused, ...] = ()
    again: float | None = None
    reason: str = ""

    @property
    def verdict(self) -> Literal["done", "again", "never"]:
        """Whether the message is done with, comes again, or is a dead letter at least in part."""
        if self.again is not None:
            return "again"
        return "never" if self.refused else "done"


def _no_stop() -> bool:
    return False


@attrs.frozen(kw_only=True)
class Handler:
    """Carries out messages.

    Attributes:
        client: shared by all messages of a process.
        redelivery: how often a message is delivered at most, and its rest in between.
        stopping: says whether this worker is about to end, so that nothing new is begun.
        sleep: waits for so many seconds.
        chance: a random number from 0 up to 1.

    """

    client: Client
    redelivery: RetryPolicy = REDELIVERY
    stopping: Callable[[], bool] = _no_stop
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def handle(self, data: bytes, delivery: int, *, look_first: bool = False) -> Handled:
        """Carry out a message, and say what is to become of it.

        While the service is gone, or refuses the key, the message is held here instead of being
        given back, so that an outage uses up no deliveries.

        Args:
            data: the message.
            delivery: which delivery of it this is, from 1.
            look_first: look even at the first delivery, where the same wish may come twice in two
                messages.

        """
        items = decode(data)
        if isinstance(items, Unusable):
            return Handled(refused=(Refused(index=0, reason=items.reason),))
        done: list[Done] = []
        refused: list[Refused] = []
        # One after the other: a message is never more than one request to the service.
        for index, item in enumerate(items):
            if isinstance(item, Unusable):
                refused.append(Refused(index=index, reason=item.reason))
                continue
            if delivery > self.redelivery.attempts:
                reason = f"delivered {delivery} times, and no worker lived to see it through"
                refused.append(Refused(index=index, new=item, reason=reason))
                continue
            end = await self._settle(item, look_first=look_first or delivery > 1)
            if isinstance(end, Restream):
                done.append(Done(index=index, new=item, restream=end))
            elif end is None:
                return self._again(done, 0.0, "the worker is ending")
            elif is_final(end):
                refused.append(Refused(index=index, new=item, error=end, reason=str(end)))
            elif delivery == self.redelivery.attempts:
                reason = f"given up after {delivery} deliveries: {end}"
                refused.append(Refused(index=index, new=item, error=end, reason=reason))
            else:
                asked = end.retry_after if isinstance(end, ApiError) else None
                seconds = self.redelivery.wait(delivery, asked, self.chance())
                return self._again(done, seconds, str(end))
        return Handled(done=tuple(done), refused=tuple(refused))

    def _again(self, done: list[Done], seconds: float, reason: str) -> Handled:
        # What was refused will be refused again, and is told of when the message ends.
        return Handled(done=tuple(done), again=seconds, reason=reason)

    async def _settle(
        self, new: NewRestream, *, look_first: bool
    ) -> Restream | RestreamError | None:
        """Bring a restream to its end; None: this worker ends first."""
        while not self.stopping():
            try:
                return await (self.client.ensure(new) if look_first else self.client.create(new))
            except RestreamError as error:
                failed = error
            if isinstance(failed, UnauthorizedError):
                _log.error("the service refuses the API key, so this worker holds: %s", failed)
                await self.sleep(_LOCKED_OUT)
            elif not is_final(failed) and self._is_gone(failed):
                _log.warning("the service is gone, so this worker holds: %s", failed)
                await self.sleep(_HOLD)
            else:
                return failed
            look_first = True
        return None

    def _is_gone(self, error: RestreamError) -> bool:
        return isinstance(error, OutageError) or self.client.stats().state == "outage"


def is_final(error: RestreamError) -> bool:
    """Say whether trying again can't help."""
    if isinstance(error, ApiError):
        return verdict_of(error.status) is Verdict.REFUSED
    return isinstance(error, InvalidRestreamError)
