"""The HTTP server of the sandbox: rate limit, capacity and latency in front of the service."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from aiohttp import web

from restream_async.sandbox.requests import Endpoint, read_request
from restream_async.sandbox.response_writer import ResponseWriter
from restream_async.sandbox.responses import too_many_requests
from restream_async.sandbox.timers import Timers

if TYPE_CHECKING:
    from restream_async.sandbox.capacity import Capacity, Slot
    from restream_async.sandbox.requests import SandboxRequest
    from restream_async.sandbox.responses import SandboxResponse
    from restream_async.sandbox.service import Service
    from restream_async.sandbox.token_bucket import TokenBucket

Latency = float | Callable[[random.Random], float]

# `close` cancels everything that waits before aiohttp stops, so aiohttp hardly waits at all. It
# must be positive: to aiohttp 0 means "without end".
_SHUTDOWN_SECONDS = 0.05
# A benchmark opens its whole pool at once.
_BACKLOG = 2048
EXACT: Final = "exact"
"""The `Retry-After` of a 429 is the seconds until the next request is allowed, rounded up."""


class Server:
    """Serves a service on a port."""

    def __init__(  # noqa: PLR0913 - one keyword for each setting of `Sandbox`
        self,
        service: Service,
        *,
        capacity: Capacity,
        rate_limit: TokenBucket,
        rate_limit_retry_after: str | None,
        latency: Latency,
        list_latency: Latency | None,
        seed: int,
    ) -> None:
        """Describe a server; `Sandbox` documents its settings."""
        self.service = service
        self.capacity = capacity
        self.rate_limit = rate_limit
        self.rate_limit_retry_after = rate_limit_retry_after
        self.latency = latency
        self.list_latency = list_latency
        self.timers = Timers()
        self._random = random.Random(seed)  # noqa: S311 - it draws latencies, not secrets
        self._opened = AsyncExitStack()

    async def open(self, host: str, port: int) -> str:
        """Open the port and return the base URL. Raises `OSError` if the port is taken."""
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
        await site.start()
        self._opened.push_async_callback(runner.cleanup)
        return site.name

    async def close(self) -> None:
        """Close the port and every connection. Late effects of earlier requests happen now."""
        self._end_waiting()
        await self._opened.aclose()
        # For requests that arrived while aiohttp was still closing connections.
        self._end_waiting()

    async def respond(
        self, request: SandboxRequest, authorization: str, body: bytes
    ) -> SandboxResponse:
        """Apply outage, rate limit, capacity and latency to a request, and process it."""
        if self.service.outage:
            return self.service.unavailable()
        if wait := self.rate_limit.take(asyncio.get_running_loop().time()):
            return await self._too_many_requests(request, wait)
        slot = await self.capacity.acquire()
        if slot is None:
            self.service.counts.shed += 1
            return self.service.unavailable()
        try:
            response = await self._process(request, authorization, body, slot)
            if response.delay:
                await self.timers.sleep(response.delay)
        finally:
            slot.release()
        return response

    async def _handle(self, http_request: web.BaseRequest) -> web.StreamResponse:
        request = read_request(http_request.method, http_request.raw_path)
        body = await http_request.read()
        authorization = http_request.headers.get("Authorization", "")
        self.service.counts.started(request.endpoint)
        try:
            response = await self.respond(request, authorization, body)
        finally:
            self.service.counts.ended()
        return ResponseWriter(response, keep_alive=http_request.keep_alive)

    async def _too_many_requests(self, request: SandboxRequest, wait: float) -> SandboxResponse:
        self.service.counts.limited += 1
        retry_after = self.rate_limit_retry_after
        response = too_many_requests(str(math.ceil(wait)) if retry_after == EXACT else retry_after)
        seconds = self._draw_latency(request)
        return await self.timers.run_later(seconds, lambda: response) if seconds else response

    async def _process(
        self, request: SandboxRequest, authorization: str, body: bytes, slot: Slot
    ) -> SandboxResponse:
        seconds = self._draw_latency(request)
        if not seconds:
            return self.service.respond(request, authorization, body, self.timers.commit_later)

        def work() -> SandboxResponse:
            slot.release()
            return self.service.respond(request, authorization, body, self.timers.commit_later)

        # The real service does not notice that a client leaves, so the work goes on.
        slot.share()
        return await self.timers.run_later(seconds, work)

    def _draw_latency(self, request: SandboxRequest) -> float:
        latency = self.latency
        if request.endpoint is Endpoint.LIST and self.list_latency is not None:
            latency = self.list_latency
        return latency(self._random) if callable(latency) else latency

    def _end_waiting(self) -> None:
        self.timers.close()
        self.capacity.cancel_waiting()
