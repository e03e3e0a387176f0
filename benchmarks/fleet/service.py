"""One service for all clients, in simulated time, with slots, a queue and an outage."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import attrs

from restream_async._http.messages import NoResponse, Request, Response

WIRE: Final = 0.01
"""Seconds of a round trip, on average. Each way takes half of it, up to 50 % more or less, so that
requests sent at the same moment arrive in any order."""

_NOTHING_THERE: Final = Response(
    status=HTTPStatus.OK, body=json.dumps({"success": True, "result": []}).encode()
)
# As Varnish answers.
_UNAVAILABLE: Final = Response(
    status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "5"}, body=b""
)
_CREATED: Final = HTTPStatus.CREATED


@attrs.define(eq=False, kw_only=True)
class Service:
    """The service of all clients. A request that it sheds has no effect.

    Attributes:
        loop: of simulated time.
        slots: the creations that it works on at once.
        queue: how many more may wait; the others get a 503. None: no limit.
        latency: seconds that it works on a creation, on average.
        spread: how much longer or shorter that takes, at most, as a share.
        random: returns a random number from 0 up to 1.
        outage: whether all new requests get a 503. It finishes the work it has started.
        arrived: the moments when requests of any kind arrived.
        posts: the moments when requests to create arrived.

    """

    loop: asyncio.AbstractEventLoop
    slots: int
    queue: int | None
    latency: float
    spread: float
    random: Callable[[], float]
    outage: bool = False
    arrived: list[float] = attrs.field(factory=list[float])
    posts: list[float] = attrs.field(factory=list[float])
    _busy: int = 0
    _waiting: deque[tuple[Request, asyncio.Future[Response]]] = attrs.field(
        factory=deque[tuple[Request, "asyncio.Future[Response]"]]
    )

    def start_outage(self) -> None:
        """Answer all new requests with a 503."""
        self.outage = True

    def end_outage(self) -> None:
        """Serve requests again."""
        self.outage = False

    def send(self, request: Request) -> asyncio.Future[Response]:
        """Send a request, and return a future with its response."""
        answer: asyncio.Future[Response] = self.loop.create_future()
        self.loop.call_later(self._way(), self._arrive, request, answer)
        return answer

    def _arrive(self, request: Request, answer: asyncio.Future[Response]) -> None:
        self.arrived.append(self.loop.time())
        if request.method != "GET":
            self.posts.append(self.loop.time())
        if self.outage:
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
        work = self.latency * (1 + self.spread * (2 * self.random() - 1))
        self.loop.call_later(work, self._finish, request, answer)

    def _finish(self, request: Request, answer: asyncio.Future[Response]) -> None:
        # Work is finished even if its client has left.
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
        return WIRE / 2 * (0.5 + self.random())


def _deliver(answer: asyncio.Future[Response], reply: Response) -> None:
    if not answer.done():
        answer.set_result(reply)


def _created(request: Request) -> Response:
    # The fields of the request, and an id. A parser would be slow for so many responses.
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
