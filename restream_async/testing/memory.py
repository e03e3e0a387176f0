"""The service in miniature, in memory: without a port, a thread or a real wait."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from multidict import CIMultiDict

from restream_async._http.messages import NoResponse, Request, Response
from restream_async._http.transport import Transport
from restream_async.sandbox import Faults
from restream_async.sandbox.controls import Controls
from restream_async.sandbox.requests import read_request
from restream_async.sandbox.responses import Connection, SandboxResponse
from restream_async.sandbox.restream_store import Ids
from restream_async.sandbox.service import Service
from restream_async.testing.clock import instant_clock

_T = TypeVar("_T")
_NO_FAULTS: Final = Faults()


class MemorySandbox(Controls):
    """A sandbox that `sandbox_client` reaches by a function call.

    It has the methods of `Sandbox`, except for what needs a network: latency, capacity, rate limit.
    Time is that of its `clock`: a hang ends at once with the time-out of the client, and late
    effects come as soon as so much time has been slept. It belongs to no event loop, and need not
    be entered.
    """

    base_url: Final = "https://sandbox.invalid"
    """What its clients have for an address; nothing listens there."""

    def __init__(
        self,
        *,
        faults: Faults = _NO_FAULTS,
        seed: int = 0,
        api_key: str = "sandbox-key",
        project_id: str = "sandbox",
        ids: Ids = "int",
    ) -> None:
        """Describe a sandbox.

        - `faults`: what goes wrong, and how often.
        - `seed`: decides which requests meet a fault.
        - `api_key`, `project_id`: what requests must have, else they get 401 or 404.
        - `ids`: whether ids are JSON integers or strings; the documentation shows both.
        """
        super().__init__(
            Service(faults=faults, seed=seed, api_key=api_key, project_id=project_id, ids=ids)
        )
        self.clock: Final = instant_clock(seed)
        self._late: list[tuple[float, Callable[[], object]]] = []

    async def settle(self) -> None:
        """Let all late effects happen now."""
        self._commit(float("inf"))

    def __enter__(self) -> Self:
        """Return the sandbox, as `Sandbox` does."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let all late effects happen now."""
        self._commit(float("inf"))

    async def __aenter__(self) -> Self:
        """Return the sandbox, as `Sandbox` does."""
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let all late effects happen now."""
        self.__exit__(exc_type, exc, traceback)

    def _respond(self, request: Request, authorization: str) -> SandboxResponse:
        self._commit(self.clock.now())
        asked = read_request(request.method, request.path)
        self._service.counts.started(asked.endpoint)
        try:
            return self._service.respond(
                asked, authorization, request.body or b"", self._commit_later
            )
        finally:
            self._service.counts.ended()

    def _call(self, function: Callable[[], _T]) -> _T:
        self._commit(self.clock.now())
        return super()._call(function)

    def _commit_later(self, seconds: float, action: Callable[[], object]) -> None:
        self._late.append((self.clock.now() + seconds, action))

    def _commit(self, now: float) -> None:
        due = [action for at, action in self._late if at <= now]
        self._late = [(at, action) for at, action in self._late if at > now]
        for action in due:
            action()


class MemoryTransport(Transport):
    """Sends the requests of one client to a sandbox in memory."""

    def __init__(
        self,
        sandbox: MemorySandbox,
        base_url: str,
        authorization: str,
        **options: Any,  # noqa: ANN401 - those of every transport
    ) -> None:
        """Send to `sandbox`."""
        super().__init__(base_url, authorization, **options)
        self._sandbox = sandbox
        self._authorization = authorization

    async def send(
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109 - of one attempt
        **_: object,
    ) -> Response | NoResponse:
        """Process a request, and return what a network would have brought back."""
        if self.closed_reason:
            return NoResponse(detail=self.closed_reason, sent=False, closed=True)
        request.sent = request.method != "GET"
        # Other tasks run meanwhile, as on a network. A cancellation comes before or after the
        # effect.
        await asyncio.sleep(0)
        respond = self._sandbox._respond  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of this module
        response = respond(request, self._authorization)
        await self._sandbox.clock.sleep(min(response.delay, timeout))
        if response.delay >= timeout:
            detail = f"no answer within {timeout:.3g} s"
            return NoResponse(detail=detail, sent=True, timed_out=True)
        return _received(response)


def _received(response: SandboxResponse) -> Response | NoResponse:
    if response.connection is Connection.RESET:
        return NoResponse(detail="the connection was reset", sent=True)
    first, *lines = response.head.decode().rstrip().split("\r\n")
    _, status, reason = first.split(" ", 2)
    headers = CIMultiDict[str]()
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name] = value
    if response.connection is Connection.CLOSED:
        return Response(int(status), reason, headers, defect="the connection was closed early")
    return Response(int(status), reason, headers, response.body)
