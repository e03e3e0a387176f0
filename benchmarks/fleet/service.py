"""One service for all, in simulated time: so many hands, a bounded queue, and an outage."""

import asyncio
import json
from collections import deque
from http import HTTPStatus
from typing import Final

import attrs

from restream_async.wire import NoReply, Reply, Request
from tests.unit.simulated_time import now

WIRE: Final = 0.01
"""Seconds there and back."""

_NOTHING_THERE: Final = Reply(
    status=HTTPStatus.OK, body=json.dumps({"success": True, "result": []}).encode()
)
# As Varnish has it.
_UNAVAILABLE: Final = Reply(
    status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "5"}, body=b""
)


@attrs.define(eq=False, kw_only=True)
class Service:
    """What all clients talk to. What it sheds has no effect.

    Attributes:
        slots: how many creations it works on at once.
        queue: how many more may wait; the others get a 503.
        latency: seconds that one takes.
        gone: whether everybody gets a 503.
        arrived: when requests came, of whatever kind.

    """

    slots: int
    queue: int
    latency: float
    gone: bool = False
    arrived: list[float] = attrs.field(factory=list[float])
    _busy: int = 0
    _waiting: deque[asyncio.Future[None]] = attrs.field(factory=deque["asyncio.Future[None]"])

    @property
    def capacity(self) -> float:
        """How many creations it can do in a second."""
        return self.slots / self.latency

    def leave(self) -> None:
        """Be gone from now on."""
        self.gone = True

    def come_back(self) -> None:
        """Be there again."""
        self.gone = False

    async def answer(self, request: Request) -> Reply:
        """Do what is asked for, or refuse to."""
        self.arrived.append(now())
        if self.gone:
            await asyncio.sleep(WIRE)
            return _UNAVAILABLE
        if request.method == "GET":
            await asyncio.sleep(WIRE)
            return _NOTHING_THERE
        if self._busy >= self.slots and len(self._waiting) >= self.queue:
            await asyncio.sleep(WIRE)
            return _UNAVAILABLE
        done = asyncio.get_running_loop().create_future()
        if self._busy < self.slots:
            self._work(done)
        else:
            self._waiting.append(done)
        await done
        return _created(request)

    def _work(self, done: "asyncio.Future[None]") -> None:
        self._busy += 1
        asyncio.get_running_loop().call_later(self.latency + WIRE, self._finish, done)

    def _finish(self, done: "asyncio.Future[None]") -> None:
        self._busy -= 1
        # Work is finished also for those who have left.
        if not done.done():
            done.set_result(None)
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                self._work(following)
                return


def _created(request: Request) -> Reply:
    asked = json.loads(request.body or b"{}")
    body = json.dumps({"success": True, "result": {"id": 1, **asked}}).encode()
    return Reply(status=HTTPStatus.CREATED, body=body)


@attrs.define(eq=False)
class Wire:
    """The way of one client to the service."""

    service: Service
    closed: str = ""
    """Why nothing can be sent any more: never."""
    created: list[float] = attrs.field(factory=list[float])
    """When its creations were done."""

    async def send(self, request: Request, timeout: float) -> Reply | NoReply:  # noqa: ASYNC109 - nobody waits that long here
        """Exchange a request for an answer."""
        del timeout
        request.sent = request.method != "GET"
        reply = await self.service.answer(request)
        if reply.status == HTTPStatus.CREATED:
            self.created.append(now())
        return reply
