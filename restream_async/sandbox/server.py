"""The sandbox: the service on a loopback port."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self, TypeVar

from aiohttp import web

from restream_async.sandbox.capacity import Capacity
from restream_async.sandbox.faults import Faults
from restream_async.sandbox.rate_limit import RateLimit
from restream_async.sandbox.requests import Endpoint, read_call
from restream_async.sandbox.response_writer import ResponseWriter
from restream_async.sandbox.responses import too_many_requests
from restream_async.sandbox.service import Service
from restream_async.sandbox.thread import LoopThread
from restream_async.sandbox.timers import Timers

if TYPE_CHECKING:
    from types import TracebackType

    from restream_async.sandbox.capacity import Place
    from restream_async.sandbox.counts import Counts
    from restream_async.sandbox.requests import SandboxRequest
    from restream_async.sandbox.responses import SandboxResponse
    from restream_async.sandbox.restream_store import Ids, Stored

T = TypeVar("T")
Latency = float | Callable[[random.Random], float]

# Everything that waits is cancelled before aiohttp is asked to stop, so it hardly waits at all;
# it must be positive, as aiohttp takes 0 for "as long as it takes".
_SHUTDOWN_SECONDS = 0.05
# Room for a benchmark that opens its whole pool at once.
_BACKLOG = 2048
_NO_FAULTS = Faults()
EXACT: Final = "exact"
"""The `Retry-After` of a 429 is the seconds until the next request is allowed, rounded up."""


class Sandbox:
    """The service in miniature, on a loopback port, inside this process.

    Use it as an asynchronous context manager::

        async with Sandbox(faults=Faults.demo(), seed=1) as sandbox:
            ...  # send requests to sandbox.base_url

    Or as a synchronous one: then it has an event loop in a thread of its own, and answers whatever
    the caller does, on any event loop or on none. Functions such as `latency` are called there::

        with Sandbox() as sandbox:
            ...  # a synchronous test client, or tests on several event loops

    It knows every endpoint of one project, and fails as `faults` and `seed` say: whether a
    request meets a fault depends on the seed, on what it asks for and on how often that was
    asked before, never on order or time, so that different clients meet the same faults.
    """

    def __init__(  # noqa: PLR0913 - each is a knob of its own, keyword-only and with a default
        self,
        *,
        faults: Faults = _NO_FAULTS,
        seed: int = 0,
        latency: Latency = 0.0,
        capacity: int | None = None,
        queue: int | None = 0,
        list_latency: Latency | None = None,
        rate_limit: float | None = None,
        burst: int | None = None,
        rate_limit_retry_after: str | None = EXACT,
        api_key: str = "sandbox-key",
        project_id: str = "sandbox",
        ids: Ids = "int",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Describe a sandbox; it opens on entering the context.

        - `latency`: seconds that serving takes, or a function that draws them from the random
          numbers it is handed. The effect comes at their end, even if the client has left by
          then; a client that leaves while it still waits for a place leaves no effect.
        - `capacity`: requests served at once; `queue`: how many more may wait for a place
          (None: no bound). Beyond, a request is shed with the 503 page and has no effect.
        - `list_latency`: the latency of lists, where it is another one.
        - `rate_limit`: requests allowed a second; `burst`: how many of them at once (None: as many
          as in a second, at least 1). Beyond, a request gets a 429 after the latency of any other
          one, and has no effect.
        - `rate_limit_retry_after`: the `Retry-After` of every 429; "exact": the seconds until the
          next request is allowed, rounded up; None: not sent.
        - `ids`: whether ids are JSON integers or strings; the documentation shows both.
        - `port`: 0 takes a free one.

        Raises `ValueError` for a latency below 0, a capacity below 1, a queue below 0, a rate limit
        of 0 or below, a burst below 1.
        """
        self.api_key: Final = api_key
        self.project_id: Final = project_id
        self.latency = latency
        self.list_latency = list_latency
        self.rate_limit_retry_after = rate_limit_retry_after
        """The `Retry-After` of every 429; may be replaced."""
        self._service = Service(
            faults=faults, seed=seed, api_key=api_key, project_id=project_id, ids=ids
        )
        self._capacity = Capacity(capacity, queue)
        self._rate = RateLimit(rate_limit, burst)
        self._timers = Timers()
        self._random = random.Random(seed)  # noqa: S311 - it draws latencies, not secrets
        self._host = host
        self._port = port
        self._base_url: str | None = None
        self._opened = AsyncExitStack()
        self._own: LoopThread | None = None

    @property
    def base_url(self) -> str:
        """`http://host:port`. Raises `RuntimeError` before the sandbox has been opened."""
        if self._base_url is None:
            raise RuntimeError(
                "the sandbox has no address yet: enter it with `with` or `async with`"
            )
        return self._base_url

    @property
    def stored(self) -> tuple[Stored, ...]:
        """Every restream that exists now, in order of creation."""
        return self._there(self._service.store.all)

    @property
    def counts(self) -> Counts:
        """What has happened so far, in numbers."""
        service = self._service
        return self._there(lambda: service.tally.snapshot(stored=len(service.store)))

    def duplicates(self) -> tuple[tuple[Stored, ...], ...]:
        """Return the groups of restreams that share video, stream URL and stream key."""
        return self._there(self._service.store.duplicates)

    @property
    def outage(self) -> bool:
        """Whether every request gets the 503 page and has no effect; False at first."""
        return self._service.outage

    @outage.setter
    def outage(self, outage: bool) -> None:
        self._service.outage = outage

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; may be replaced at any time."""
        return self._service.plan.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._service.plan.faults = faults

    @property
    def latency(self) -> Latency:
        """Seconds that serving takes, or a function that draws them; may be replaced."""
        return self._latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self._latency = _checked("latency", latency)

    @property
    def list_latency(self) -> Latency | None:
        """The latency of lists (None: that of all others); may be replaced."""
        return self._list_latency

    @list_latency.setter
    def list_latency(self, latency: Latency | None) -> None:
        self._list_latency = None if latency is None else _checked("list_latency", latency)

    @property
    def capacity(self) -> int | None:
        """How many requests are served at once (None: no bound); may be replaced."""
        return self._capacity.limit

    @capacity.setter
    def capacity(self, capacity: int | None) -> None:
        self._set(self._capacity, "limit", capacity)

    @property
    def queue(self) -> int | None:
        """How many requests may wait for a place (None: no bound); may be replaced."""
        return self._capacity.queue

    @queue.setter
    def queue(self, queue: int | None) -> None:
        self._set(self._capacity, "queue", queue)

    @property
    def rate_limit(self) -> float | None:
        """How many requests are allowed a second (None: no bound); may be replaced.

        A new rate begins with a full burst.
        """
        return self._rate.per_second

    @rate_limit.setter
    def rate_limit(self, rate_limit: float | None) -> None:
        self._set(self._rate, "per_second", rate_limit)

    @property
    def burst(self) -> int | None:
        """How many requests the rate limit allows at once (None: a second's); may be replaced."""
        return self._rate.burst

    @burst.setter
    def burst(self, burst: int | None) -> None:
        self._set(self._rate, "burst", burst)

    async def settle(self) -> None:
        """Wait until all that clients gave up on is done: late commits, abandoned work.

        Who counts `duplicates()` while the sandbox is still open needs this first.
        """
        settled = self._timers.settled()
        await (settled if self._own is None else asyncio.wrap_future(self._own.begin(settled)))

    def __enter__(self) -> Self:
        """Open the port, served by a thread of its own. Raises what `async with` raises."""
        own = LoopThread("restream-sandbox")
        try:
            own.begin(self.__aenter__()).result()
        except BaseException:
            own.close()
            raise
        self._own = own
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close as at the end of `async with`, and end the thread."""
        if self._own is None:
            raise AssertionError("it was entered")
        self._own.begin(self.__aexit__(exc_type, exc, traceback)).result()
        self._own.close()
        self._own = None

    async def __aenter__(self) -> Self:
        """Open the port. Raises `RuntimeError` the second time, `OSError` if it is taken."""
        if self._base_url is not None:
            raise RuntimeError("a sandbox opens only once: make another one")
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port, backlog=_BACKLOG)
        await site.start()
        self._base_url = site.name
        self._opened.push_async_callback(runner.cleanup)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port and every connection; what is still to be committed is committed."""
        self._end_waiting()
        await self._opened.aclose()
        # For requests that came in while aiohttp was still closing connections.
        self._end_waiting()

    def _there(self, do: Callable[[], T]) -> T:
        """Call a function in the thread that serves, where that is a thread of its own."""
        return do() if self._own is None else self._own.call(do)

    def _set(self, part: object, name: str, value: object) -> None:
        self._there(lambda: setattr(part, name, value))

    def _end_waiting(self) -> None:
        self._timers.close()
        self._capacity.dismiss()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = read_call(request.method, request.raw_path)
        body = await request.read()
        authorization = request.headers.get("Authorization", "")
        self._service.tally.arrived(call.endpoint)
        try:
            reply = await self._serve(call, authorization, body)
        finally:
            self._service.tally.left()
        return ResponseWriter(reply, keep_alive=request.keep_alive)

    async def _serve(
        self, call: SandboxRequest, authorization: str, body: bytes
    ) -> SandboxResponse:
        if self.outage:
            return self._service.unavailable()
        if wait := self._rate.take(asyncio.get_running_loop().time()):
            return await self._too_many(call, wait)
        place = await self._capacity.enter()
        if place is None:
            self._service.tally.shed += 1
            return self._service.unavailable()
        try:
            reply = await self._answer(call, authorization, body, place)
            if reply.hangs:
                await self._timers.pause(self.faults.hang_seconds)
        finally:
            place.let_go()
        return reply

    async def _too_many(self, call: SandboxRequest, wait: float) -> SandboxResponse:
        self._service.tally.limited += 1
        retry_after = self.rate_limit_retry_after
        reply = too_many_requests(str(math.ceil(wait)) if retry_after == EXACT else retry_after)
        seconds = self._draw(call)
        return await self._timers.work(seconds, lambda: reply) if seconds else reply

    def _draw(self, call: SandboxRequest) -> float:
        latency = self._latency
        if call.endpoint is Endpoint.LIST and self._list_latency is not None:
            latency = self._list_latency
        return latency(self._random) if callable(latency) else latency

    async def _answer(
        self, call: SandboxRequest, authorization: str, body: bytes, place: Place
    ) -> SandboxResponse:
        seconds = self._draw(call)
        if not seconds:
            return self._service.answer(call, authorization, body, self._timers.commit)

        def work() -> SandboxResponse:
            place.let_go()
            return self._service.answer(call, authorization, body, self._timers.commit)

        # The service does not see its clients leave: what it has begun, it finishes.
        place.hold()
        return await self._timers.work(seconds, work)


def _checked(name: str, latency: Latency) -> Latency:
    if not callable(latency) and latency < 0:
        raise ValueError(f"{name} must be >= 0 seconds, not {latency!r}")
    return latency
