"""The sandbox: its settings, what it has stored, and how it is opened and closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self, TypeVar

from restream_async.sandbox.capacity import Capacity
from restream_async.sandbox.controls import Controls
from restream_async.sandbox.faults import Faults
from restream_async.sandbox.server import EXACT, Latency, Server
from restream_async.sandbox.service import Service
from restream_async.sandbox.thread import LoopThread
from restream_async.sandbox.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from restream_async.sandbox.restream_store import Ids

T = TypeVar("T")

_NO_FAULTS = Faults()


class Sandbox(Controls):
    """The service in miniature, on a loopback port, inside this process.

    Use it as an asynchronous context manager::

        async with Sandbox(faults=Faults.demo(), seed=1) as sandbox:
            ...  # send requests to sandbox.base_url

    Or as a synchronous one. Then its event loop runs in a thread of its own, and it answers
    synchronous clients and clients on any event loop. Functions such as `latency` are called in
    that thread::

        with Sandbox() as sandbox:
            ...  # a synchronous test client, or tests on several event loops

    It has every endpoint of one project, and fails as `faults` and `seed` say. Whether a request
    meets a fault depends on the seed, on what it asks for and on how often that was asked before,
    never on order or time. So different clients meet the same faults.
    """

    def __init__(  # noqa: PLR0913 - independent settings, keyword-only and with a default
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
        """Describe a sandbox; entering the context opens it.

        - `faults`: what goes wrong, and how often.
        - `seed`: decides which requests meet a fault, and seeds the random numbers of `latency`.
        - `latency`: seconds that a request takes, or a function that draws them from the random
          numbers it gets. The effect comes at their end, even if the client has left by then. A
          client that leaves while it still waits for a slot leaves no effect.
        - `capacity`: requests served at once; `queue`: how many more may wait (None: no limit).
          Any further request gets the 503 page and has no effect.
        - `list_latency`: the latency of lists; None: as `latency`.
        - `rate_limit`: requests allowed a second; `burst`: how many of them at once (None: as many
          as in a second, at least 1). Any further request gets a 429 after the usual latency, and
          has no effect.
        - `rate_limit_retry_after`: the `Retry-After` of every 429; "exact": the seconds until the
          next request is allowed, rounded up; None: not sent.
        - `api_key`, `project_id`: what requests must have, else they get 401 or 404.
        - `ids`: whether ids are JSON integers or strings; the documentation shows both.
        - `host`, `port`: where to listen; port 0 takes a free one.

        Raises `ValueError` for a latency below 0, a capacity below 1, a queue below 0, a rate limit
        of 0 or below, a burst below 1.
        """
        super().__init__(
            Service(faults=faults, seed=seed, api_key=api_key, project_id=project_id, ids=ids)
        )
        self._server = Server(
            self._service,
            capacity=Capacity(capacity, queue),
            rate_limit=TokenBucket(rate_limit, burst),
            rate_limit_retry_after=rate_limit_retry_after,
            latency=_checked("latency", latency),
            list_latency=None if list_latency is None else _checked("list_latency", list_latency),
            seed=seed,
        )
        self._host = host
        self._port = port
        self._base_url: str | None = None
        self._thread: LoopThread | None = None

    @property
    def base_url(self) -> str:
        """`http://host:port`. Raises `RuntimeError` before the sandbox has been opened."""
        if self._base_url is None:
            raise RuntimeError(
                "the sandbox has no address yet: enter it with `with` or `async with`"
            )
        return self._base_url

    @property
    def latency(self) -> Latency:
        """Seconds that a request takes, or a function that draws them; may be replaced."""
        return self._server.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self._server.latency = _checked("latency", latency)

    @property
    def list_latency(self) -> Latency | None:
        """The latency of lists (None: as `latency`); may be replaced."""
        return self._server.list_latency

    @list_latency.setter
    def list_latency(self, latency: Latency | None) -> None:
        self._server.list_latency = None if latency is None else _checked("list_latency", latency)

    @property
    def capacity(self) -> int | None:
        """How many requests are served at once (None: no limit); may be replaced."""
        return self._server.capacity.limit

    @capacity.setter
    def capacity(self, capacity: int | None) -> None:
        self._set(self._server.capacity, "limit", capacity)

    @property
    def queue(self) -> int | None:
        """How many requests may wait for a slot (None: no limit); may be replaced."""
        return self._server.capacity.queue

    @queue.setter
    def queue(self, queue: int | None) -> None:
        self._set(self._server.capacity, "queue", queue)

    @property
    def rate_limit(self) -> float | None:
        """How many requests are allowed a second (None: no limit); may be replaced.

        A new rate begins with a full burst.
        """
        return self._server.rate_limit.per_second

    @rate_limit.setter
    def rate_limit(self, rate_limit: float | None) -> None:
        self._set(self._server.rate_limit, "per_second", rate_limit)

    @property
    def burst(self) -> int | None:
        """How many requests the rate limit allows at once (None: a second's); may be replaced."""
        return self._server.rate_limit.burst

    @burst.setter
    def burst(self, burst: int | None) -> None:
        self._set(self._server.rate_limit, "burst", burst)

    @property
    def rate_limit_retry_after(self) -> str | None:
        """The `Retry-After` of every 429; may be replaced."""
        return self._server.rate_limit_retry_after

    @rate_limit_retry_after.setter
    def rate_limit_retry_after(self, retry_after: str | None) -> None:
        self._server.rate_limit_retry_after = retry_after

    async def settle(self) -> None:
        """Wait until all requests that clients have given up have had their effect.

        Needed before `duplicates()` or `stored` is read while the sandbox is still open.
        """
        settled = self._server.timers.settled()
        await (settled if self._thread is None else asyncio.wrap_future(self._thread.run(settled)))

    def __enter__(self) -> Self:
        """Open the port, served by a thread of its own. Raises what `async with` raises."""
        thread = LoopThread("restream-sandbox")
        try:
            thread.run(self.__aenter__()).result()
        except BaseException:
            thread.close()
            raise
        self._thread = thread
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close as at the end of `async with`, and end the thread."""
        if self._thread is None:
            raise AssertionError("it was entered")
        self._thread.run(self.__aexit__(exc_type, exc, traceback)).result()
        self._thread.close()
        self._thread = None

    async def __aenter__(self) -> Self:
        """Open the port. Raises `RuntimeError` the second time, `OSError` if it is taken."""
        if self._base_url is not None:
            raise RuntimeError("a sandbox opens only once: make another one")
        self._base_url = await self._server.open(self._host, self._port)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port and every connection. Late effects of earlier requests happen now."""
        await self._server.close()

    def _call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread of the event loop, if that is a thread of its own."""
        return super()._call(function) if self._thread is None else self._thread.call(function)

    def _set(self, part: object, name: str, value: object) -> None:
        self._call(lambda: setattr(part, name, value))


def _checked(name: str, latency: Latency) -> Latency:
    if not callable(latency) and latency < 0:
        raise ValueError(f"{name} must be >= 0 seconds, not {latency!r}")
    return latency
