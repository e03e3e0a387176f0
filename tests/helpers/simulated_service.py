"""A service in simulated time, with so many hands, and a client of it without a network."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import attrs

from restream_async import BackendFetchFailedError, NewRestream, Outcome, RetryPolicy
from restream_async._bulk.run import BulkRun
from restream_async._http.api import Api
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._operations.create import Creator
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.executor import RequestExecutor
from restream_async.errors import Call
from restream_async.settings import InDoubt
from tests.helpers.examples import to_json_fields
from tests.helpers.simulated_rate_limit import TokenBucket
from tests.helpers.simulated_time import now, simulated_clock

SHED = Failure(
    Classification.IN_DOUBT,
    BackendFetchFailedError(Call("POST", "/restreams"), status=503, reason="Gone"),
)
"""What an attempt comes to for which the service has no room."""
OVERHEAD = 0.001
"""Seconds for an answer that needs no work."""


def wanted(count: int) -> Iterator[NewRestream]:
    for number in range(count):
        yield NewRestream(
            video_id=f"v{number}",
            title="YouTube",
            stream_url="rtmps://live.example/app",
            stream_key=f"stream-key-{number}",
            status=True,
        )


@attrs.define(kw_only=True, eq=False)
class Service:
    """Creates and lists, as far as it has hands and is there.

    Attributes:
        slots: how many requests it works on at once.
        took: seconds that one takes.
        queue: how many more may wait; the others get a 503. None: as many as want to.
        gone: whether everybody gets a 503 at once.
        unreachable: whether nobody even gets a connection.
        dropping: whether the network swallows what is sent to it, so that nobody ever connects.
        hanging: whether nobody gets an answer.
        closed_reason: why the client can send nothing any more.
        noise: share of the creations that get a 500.
        broken: share of the creations that get a 503, whatever the load.
        strange: share of the creations that get a 429, whatever the rate.
        retry_after: the header of every 503 and 429.
        sheds: how many requests to come get a 503 whatever the load.
        limited: whether everybody gets a 429 at once.
        rate: creations a second; those beyond get a 429. None: as many as want to.
        burst: how many of them may come at once.
        singled_out: the video that gets a 429 whatever the rate.
        jitter: by how much of `took` requests differ at most.
        loses: whether creations are done, and get a 503 all the same.

    """

    slots: int = 16
    took: float = 0.05
    queue: int | None = 0
    gone: bool = False
    unreachable: bool = False
    dropping: bool = False
    hanging: bool = False
    closed_reason: str = ""
    noise: float = 0.0
    broken: float = 0.0
    strange: float = 0.0
    retry_after: str | None = None
    sheds: int = 0
    limited: bool = False
    rate: float | None = None
    burst: float = 1.0
    singled_out: str = ""
    jitter: float = 0.0
    loses: bool = False
    stored: dict[str, list[object]] = attrs.field(factory=dict[str, list[object]])
    sent: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    in_flight: int = 0
    most_in_flight: int = 0
    latencies: list[float] = attrs.field(factory=list[float])
    _chance: random.Random = attrs.field(factory=lambda: random.Random(2))  # noqa: S311 - no secret
    _busy: int = 0
    _free: asyncio.Condition = attrs.field(factory=asyncio.Condition)
    _waiting: int = 0
    _bucket: TokenBucket = attrs.Factory(
        lambda self: TokenBucket(self.rate or 0.0, self.burst), takes_self=True
    )

    @property
    def posts(self) -> int:
        return sum(method == "POST" for _, method in self.sent)

    @property
    def last_post(self) -> float:
        return max(moment for moment, method in self.sent if method == "POST")

    def sent_between(self, start: float, end: float) -> list[float]:
        return [moment for moment, _ in self.sent if start <= moment < end]

    async def send(self, request: Request, timeout: float) -> Response | NoResponse:  # noqa: ASYNC109 - the protocol's
        self.sent.append((now(), request.method))
        request.sent = False
        if self.closed_reason:
            return NoResponse(detail=self.closed_reason, sent=False, closed=True)
        if self.dropping:
            await asyncio.sleep(timeout)
            return NoResponse(detail="no connection", sent=False, timed_out=True)
        if self.unreachable:
            await asyncio.sleep(OVERHEAD)
            return NoResponse(detail="the connection was refused", sent=False)
        request.sent = request.method != "GET"
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        start = now()
        try:
            async with asyncio.timeout(timeout):
                reply = await self._serve(request)
        except TimeoutError:
            return NoResponse(detail="no answer", sent=True, timed_out=True)
        finally:
            self.in_flight -= 1
        self.latencies.append(now() - start)
        return reply

    async def _serve(self, request: Request) -> Response:
        await asyncio.sleep(OVERHEAD)
        if self.hanging:
            await asyncio.Event().wait()
        status = self._turns_away(request)
        if status is not None:
            return self._refusal(status)
        if request.method == "GET":
            return _success(self.stored.get(request.video_id or "", []))
        await self._work()
        if self._chance.random() < self.noise:
            return Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        if self.broken and self._chance.random() < self.broken:
            return self._refusal()
        new = request.new
        assert new is not None
        result = {"id": len(self.stored) + 1, **to_json_fields(new)}
        self.stored.setdefault(new.video_id, []).append(result)
        return self._refusal() if self.loses else _success(result)

    def _turns_away(self, request: Request) -> HTTPStatus | None:
        """Return the status with which a request is refused at once, if it is."""
        if self.limited or request.video_id == self.singled_out:
            return HTTPStatus.TOO_MANY_REQUESTS
        if self.gone or self.sheds:
            self.sheds -= bool(self.sheds)
            return HTTPStatus.SERVICE_UNAVAILABLE
        if request.method == "GET":
            return None
        if not self._has_token():
            return HTTPStatus.TOO_MANY_REQUESTS
        if self.strange and self._chance.random() < self.strange:
            return HTTPStatus.TOO_MANY_REQUESTS
        full = self.queue is not None and self._waiting >= self.queue
        return HTTPStatus.SERVICE_UNAVAILABLE if full and self._busy >= self.slots else None

    def _has_token(self) -> bool:
        if self.rate is None:
            return True
        self._bucket.rate = self.rate
        return self._bucket.take(now())

    async def _work(self) -> None:
        async with self._free:
            self._waiting += 1
            try:
                await self._free.wait_for(lambda: self._busy < self.slots)
            finally:
                self._waiting -= 1
            self._busy += 1
        try:
            jitter = self._chance.uniform(-self.jitter, self.jitter) if self.jitter else 0.0
            await asyncio.sleep(self.took * (1 + jitter))
        finally:
            self._busy -= 1
            async with self._free:
                self._free.notify()

    def _refusal(self, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE) -> Response:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return Response(status=status, headers=headers)


def _success(result: object) -> Response:
    return Response(status=200, body=json.dumps({"success": True, "result": result}).encode())


@attrs.frozen(kw_only=True)
class SimulatedClient:
    """What a `RestreamClient` is made of, over such a service."""

    executor: RequestExecutor
    creator: Creator
    api: Api

    def run(self, count: int) -> BulkRun:
        return BulkRun(self.executor, self.api, self.creator, wanted(count))

    async def create_many(self, count: int) -> list[Outcome]:
        async with self.run(count) as run:
            return [outcome async for outcome in run]


@asynccontextmanager
async def simulated_client(
    service: Service,
    *,
    ceiling: int = 256,
    patience: float = 300.0,
    attempts: int = 5,
    deadline: float = 120.0,
    timeout: float = 2.0,  # noqa: ASYNC109 - of an attempt, and only handed on
    in_doubt: InDoubt = "confirm",
) -> AsyncGenerator[SimulatedClient]:
    time = simulated_clock()
    api = Api("p1")
    executor = RequestExecutor.adaptive(
        service,
        ceiling=ceiling,
        patience=patience,
        policy=RetryPolicy(attempts=attempts, deadline=deadline),
        clock=time,
        timeout=timeout,
    )
    yield SimulatedClient(executor=executor, creator=Creator(executor, api, in_doubt), api=api)
    await executor.limiter.close()
    assert executor.limiter.in_flight == 0
