"""The lease of a message: the time in which no other worker gets it.

The server delivers a message that is not acknowledged in time to another worker. If both worked on
it, the restream would be created twice. So a worker extends its lease while it works, the server
confirms each extension, and the work ends before the lease does.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg

from restream_async.worker.nats_connection import NATS_ERRORS
from restream_async.worker.tasks import end

_T = TypeVar("_T")

# JetStream's acknowledgements. nats-py has them as methods of a message, but those do not wait for
# a confirmation.
_IN_PROGRESS: Final = b"+WPI"
_ACK: Final = b"+ACK"
_TERMINATE: Final = b"+TERM"
_NAK: Final = b"-NAK"


class LeaseLostError(Exception):
    """Another worker may have the message by now. Stays inside the package."""


class Lease:
    """The lease of one delivery of one message."""

    def __init__(self, connection: Client, message: Msg, ack_wait: float, age: float = 0.0) -> None:
        """Start the lease.

        Args:
            connection: the connection that the message came on.
            message: the message.
            ack_wait: seconds that a lease lasts after each extension.
            age: seconds of the first lease that may be over already.

        """
        self._connection = connection
        self._reply = message.reply
        self._ack_wait = ack_wait
        self._expires = time.monotonic() + ack_wait - age

    @property
    def remaining(self) -> float:
        """Seconds of the lease that remain. The last sixth of `ack_wait` is a safety margin."""
        return self._expires - self._ack_wait / 6 - time.monotonic()

    async def hold(self, work: Coroutine[Any, Any, _T], stop: asyncio.Event) -> _T | None:
        """Work and extend the lease meanwhile; return the result, or None if `stop` is set first.

        Raises:
            LeaseLostError: the server confirmed no extension in time; the work was cancelled.

        """
        task = asyncio.create_task(work)
        extending = asyncio.create_task(self._extend())
        waiting = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({task, extending, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if extending.done():
                raise LeaseLostError
            return None
        finally:
            await end(task, extending, waiting)

    async def ack(self) -> None:
        """Acknowledge the message: all of it is done.

        Raises:
            LeaseLostError: the server did not confirm it in time and delivers the message again.
                The same holds for `terminate` and `nak`.

        """
        await self._finish(_ACK)

    async def terminate(self) -> None:
        """Tell the server never to deliver the message again."""
        await self._finish(_TERMINATE)

    async def nak(self, delay: float) -> None:
        """Tell the server to deliver the message again after `delay` seconds."""
        options = f" {json.dumps({'delay': int(delay * 1e9)})}".encode() if delay > 0 else b""
        await self._finish(_NAK + options)

    async def _finish(self, acknowledgement: bytes) -> None:
        while not await self._confirmed(acknowledgement):
            if self.remaining <= 0:
                raise LeaseLostError
            await asyncio.sleep(self._ack_wait / 30)

    async def _extend(self) -> None:
        """Extend the lease again and again; return when it is lost."""
        # With a delivery NATS saves the time of the message instead of its own time. Without this
        # first extension, a server that restarts would deliver an old message again at once.
        with contextlib.suppress(*NATS_ERRORS):
            await self._connection.publish(self._reply, _IN_PROGRESS)
        pause = self._ack_wait / 3
        while self.remaining > 0:
            await asyncio.sleep(min(pause, self.remaining))
            # The server's clock starts later than this one, so this one is on the safe side.
            sent = time.monotonic()
            if await self._confirmed(_IN_PROGRESS):
                self._expires = sent + self._ack_wait
                pause = self._ack_wait / 3
            else:
                pause = self._ack_wait / 30

    async def _confirmed(self, acknowledgement: bytes) -> bool:
        """Send an acknowledgement; return whether the server confirmed it."""
        with contextlib.suppress(*NATS_ERRORS):
            await self._connection.request(self._reply, acknowledgement, timeout=self._ack_wait / 6)
            return True
        return False
