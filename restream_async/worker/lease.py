"""The time in which a message is ours: prolonged while it is worked on, and watched.

The server gives a message that nobody acknowledges to somebody else. If we went on with it then,
two workers would create the same restream. So each prolongation is confirmed by the server, and
when that fails for too long, the work ends before the lease does.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg

from restream_async.worker.nats_options import UNREACHABLE
from restream_async.worker.tasks import end

_T = TypeVar("_T")

_PROGRESS: Final = b"+WPI"
_DONE: Final = b"+ACK"
_NEVER: Final = b"+TERM"
_AGAIN: Final = b"-NAK"


class LostError(Exception):
    """The message may be somebody else's by now. Stays inside the package."""


class Lease:
    """One delivery of one message."""

    def __init__(self, connection: Client, message: Msg, seconds: float, age: float = 0.0) -> None:
        """Begin; `seconds` is the `ack_wait` of the consumer, `age` how many of them are gone."""
        self._connection = connection
        self._reply = message.reply
        self._seconds = seconds
        self._until = time.monotonic() + seconds - age

    @property
    def left(self) -> float:
        """Seconds for which the message is certainly ours; the last sixth is not relied on."""
        return self._until - self._seconds / 6 - time.monotonic()

    async def during(self, work: Coroutine[Any, Any, _T], over: asyncio.Event) -> _T | None:
        """Work while the message is ours; return the result, or None if `over` came before it.

        Raises:
            LostError: it is not ours any more; the work was ended.

        """
        task = asyncio.create_task(work)
        keeping = asyncio.create_task(self._keep())
        waiting = asyncio.create_task(over.wait())
        try:
            await asyncio.wait({task, keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if keeping.done():
                raise LostError
            return None
        finally:
            await end(task, keeping, waiting)

    async def done(self) -> None:
        """Say that the message is done with."""
        await self._settle(_DONE)

    async def never(self) -> None:
        """Say that it is never to be delivered again."""
        await self._settle(_NEVER)

    async def again(self, seconds: float) -> None:
        """Ask for it to be delivered again, in so many seconds."""
        delay = f" {json.dumps({'delay': int(seconds * 1e9)})}".encode() if seconds > 0 else b""
        await self._settle(_AGAIN + delay)

    async def _settle(self, word: bytes) -> None:
        """Tell the server until it confirms.

        Raises:
            LostError: it did not, in time. The message will be delivered again.

        """
        while not await self._tell(word):
            if self.left <= 0:
                raise LostError
            await asyncio.sleep(self._seconds / 30)

    async def _keep(self) -> None:
        """Prolong the lease; return when it is lost."""
        pause = self._seconds / 3
        while self.left > 0:
            await asyncio.sleep(min(pause, self.left))
            # From when it is sent: the server counts from a later moment.
            sent = time.monotonic()
            if await self._tell(_PROGRESS):
                self._until = sent + self._seconds
                pause = self._seconds / 3
            else:
                pause = self._seconds / 30

    async def _tell(self, word: bytes) -> bool:
        with contextlib.suppress(*UNREACHABLE):
            await self._connection.request(self._reply, word, timeout=self._seconds / 6)
            return True
        return False
