"""One service for all, in simulated time: so many hands, a queue, and an outage."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import attrs

from restream_async._http.messages import NoResponse, Request, Response

WIRE: Final = 0.01
"""Seconds there and back, on average. Each way takes up to a half more or less than half of it, so
that what is sent in the same moment arrives in any order."""

_NOTHING_THERE: Final = Response(
    status=HTTPStatus.OK, body=json.dumps({"success": True, "result": []}).encode()
)
# As Varnish has it.
_UNAVAILABLE: Final = Response(
    status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "5"}, body=b""
)
_CREATED: Final = HTTPStatus.CREATED


@attrs.define(eq=False, kw_only=True)
class Service:
    """What all clients talk to. What it sheds has no effect.

    Attributes:
        loop: of simulated time.
        slots: how many creations it works on at once.
        queue: how many more may wait; the others get a 503. None: any number.
        latency: seconds that it works on a creation, on average.
        spread: how much longer or shorter that takes, at most, as a share.
        chance: returns a random number from 0 up to 1.
        gone: whether everybody gets a 503. What it works on already, it finishes.
        arrived: when requests came, of whatever kind.
        posts: when those to create came.

    """

    loop: asyncio.AbstractEventLoop
    slots: int
    queue: int | None
    latency: float
    spread: float
    chance: Callable[[], float]
    gone: bool = False
    arrived: list[float] = attrs.field(factory=list[float])
    posts: list[float] = attrs.field(factory=list[float])
    _busy: int = 0
    _waiting: deque[tuple[Request, asyncio.Future[Response]]] = attrs.field(
        factory=deque[tuple[Request, "asyncio.Future[Response]"]]
    )

    def leave(self) -> None:
        """Be gone from now on."""
        self.gone = True

    def come_back(self) -> None:
        """Be there again."""
        self.gone = False

    def send(self, request: Request) -> asyncio.Future[Response]:
        """Put a request on its way, and return its answer to come."""
        answer: asyncio.Future[Response] = self.loop.create_future()
        self.loop.call_later(self._way(), self._arrive, request, answer)
        return answer

    def _arrive(self, request: Request, answer: asyncio.Future[Response]) -> None:
        self.arrived.append(self.loop.time())
        if request.method != "GET":
            self.posts.append(self.loop.time())
        if self.gone:
            self._reply(answer, _UNAVAILABLE)
        elif request.method == "GET":
            self._reply(answer, _NOTHING_THERE)
        elif self._busy < self.slots:
            self._busy += 1
            self._begin(request, answer)
        elif self.queue is None or len(self._waiting) < self.queue:
            self._waiting.append((request, answer))
        else:
            self._reply(answer, _UNAVAILABLE)

    def _begin(self, request: Request, answer: asyncio.Future[Response]) -> None:
        work = self.latency * (1 + self.spread * (2 * self.chance() - 1))
        self.loop.call_later(work, self._finish, request, answer)

    def _finish(self, request: Request, answer: asyncio.Future[Response]) -> None:
        # Work is finished also for those who have left.
        self._reply(answer, _created(request))
        while self._waiting:
            following = self._waiting.popleft()
            if not following[1].done():
                self._begin(*following)
                return
        self._busy -= 1

    def _reply(self, answer: asyncio.Future[Response], reply: Response) -> None:
        self.loop.call_later(self._way(), _deliver, answer, reply)

    def _way(self) -> float:
        return WIRE / 2 * (0.5 + self.chance())


def _deliver(answer: asyncio.Future[Response], reply: Response) -> None:
    if not answer.done():
        answer.set_result(reply)


def _created(request: Request) -> Response:
    # What was asked for, with an id: the answers of thousands of seconds are not worth a parser.
    asked = request.body or b"{}"
    return Response(_CREATED, body=b'{"success":true,"result":{"id":1,%b}' % asked[1:])


@attrs.define(eq=False)
class Wire:
    """The way of one client to the service."""

    service: Service
    closed_reason: str = ""
    """Why nothing can be sent any more: never."""
    created: list[float] = attrs.field(factory=list[float])
    """When its creations were done."""
    latencies: list[float] = attrs.field(factory=list[float])
    """Seconds that the answer of each took."""

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - of one attempt
        """Exchange a request for an answer."""
        clock = self.service.loop.time
        request.sent = request.method != "GET"
        sent = clock()
        reply = await self.service.send(request)
        moment = clock()
        latency = moment - sent
        if latency > timeout:
            raise AssertionError("an answer took longer than clients wait, which is not simulated")
        if reply.status == _CREATED:
            self.created.append(moment)
            self.latencies.append(latency)
        return reply
