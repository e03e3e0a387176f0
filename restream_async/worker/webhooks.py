"""Webhook routes for aiohttp.web, and for FastAPI or Starlette.

Both answer 204 if all is done, or if there is nothing to do; 400 if the body is not an event, or
lacks what a destination needs; 403 if the secret is wrong; 503 if something failed that may succeed
later, so that the platform sends the event again.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs

from restream_async.changes import Action
from restream_async.destinations import Destination
from restream_async.errors import RestreamError
from restream_async.handling.command_messages import MAX_BYTES
from restream_async.handling.redelivery import is_permanent
from restream_async.models import Failed
from restream_async.worker.event_actions import EventClient, change_existing
from restream_async.worker.event_rules import DEFAULT_RULES, Rule
from restream_async.worker.platform_events import Task, UnusableEventError, task_of

if TYPE_CHECKING:
    from aiohttp import web
    from starlette.requests import Request
    from starlette.responses import Response

_log: Final = logging.getLogger("restream_async.worker")

SECRET_HEADER: Final = "X-Webhook-Secret"  # noqa: S105 - its name, not its value
"""The platform documents no signature. A header that a proxy adds can take its place."""


@attrs.frozen(kw_only=True)
class Webhook:
    """Receives events, and does what the rules say. Each event may be repeated.

    Attributes:
        client: a client that the application opens and closes.
        destinations: where the live videos are pushed to.
        rules: what to do for which event; by default a new live video gets a restream for each
            destination. `read_rules` reads them.
        secret: the value that the header `X-Webhook-Secret` must have; None: it is not checked.

    """

    client: EventClient
    destinations: Sequence[Destination]
    rules: Sequence[Rule] = DEFAULT_RULES
    secret: str | None = attrs.field(default=None, repr=False)

    async def receive(self, data: bytes, secret: str | None = None) -> HTTPStatus:
        """Process an event, and return the status to answer with.

        Args:
            data: the body of the request.
            secret: the value of the header `X-Webhook-Secret`, or None.

        """
        if self.secret is not None and not hmac.compare_digest(
            # A header that is not UTF-8 is decoded to surrogates.
            self.secret.encode(),
            (secret or "").encode(errors="surrogatepass"),
        ):
            return HTTPStatus.FORBIDDEN
        try:
            task = task_of(data, self.destinations, self.rules)
        except UnusableEventError as error:
            _log.warning("%s", error)
            return HTTPStatus.BAD_REQUEST
        failures = [] if task is None else await self._carry_out(task)
        for failure in failures:
            _log.warning("an event was not carried out in full: %s", failure)
        # A permanent failure would fail again, so sending the event again is of no use.
        if all(map(is_permanent, failures)):
            return HTTPStatus.NO_CONTENT
        return HTTPStatus.SERVICE_UNAVAILABLE

    async def _carry_out(self, task: Task) -> list[RestreamError]:
        """Do what an event asks for, and return what failed."""
        if task.action is not Action.CREATE:
            return await change_existing(self.client, task)
        outcomes = await asyncio.gather(
            *(self.client.outcome(new, ensure=True) for new in task.wanted)
        )
        return [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]


def aiohttp_handler(webhook: Webhook) -> Callable[["web.Request"], Awaitable["web.Response"]]:
    """Return a handler for `app.router.add_post("/webhooks", …)`."""
    from aiohttp import web  # noqa: PLC0415 - not every application has it

    async def handle(request: web.Request) -> web.Response:
        # aiohttp itself answers 413 to a body that is too large.
        status = await webhook.receive(await request.read(), request.headers.get(SECRET_HEADER))
        return web.Response(status=status)

    return handle


def asgi_endpoint(
    webhook: Callable[[], Webhook],
) -> Callable[["Request"], Awaitable["Response"]]:
    """Return an endpoint for `app.add_route("/webhooks", …, methods=["POST"])`.

    For FastAPI and Starlette. `webhook` is called at each request, because the client is opened
    only when the application starts.
    """
    from starlette.responses import Response  # noqa: PLC0415 - not every application has it

    async def endpoint(request: "Request") -> Response:
        body = bytearray()
        # In chunks, because Content-Length may be missing or wrong.
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        status = await webhook().receive(bytes(body), request.headers.get(SECRET_HEADER))
        return Response(status_code=status)

    return endpoint
