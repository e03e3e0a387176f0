"""Ready routes for the platform's webhooks: aiohttp.web, and FastAPI or Starlette.

Both answer 204 when all restreams are there, also where there is nothing to do; 400 for what is no
event; 503 where a restream could not be created, so that the platform sends the event again; 403
where the secret in the path or header is not the one that was set.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs

from restream_async.models import Failed
from restream_async.worker.commands import LARGEST
from restream_async.worker.handling import Client, is_final
from restream_async.worker.webhooks import Destination, UnusableEventError, restreams_for

if TYPE_CHECKING:
    from aiohttp import web
    from starlette.requests import Request
    from starlette.responses import Response

_log: Final = logging.getLogger("restream_async.worker")

SECRET_HEADER: Final = "X-Webhook-Secret"  # noqa: S105 - its name, not its value
"""The platform documents no signature: a header or query that a proxy adds can stand in for one."""


@attrs.frozen(kw_only=True)
class Webhook:
    """Takes events, and creates what they ask for.

    Attributes:
        client: the process's own.
        destinations: where every new live video is pushed on to.
        secret: what `X-Webhook-Secret` must say; None: anybody may call.

    """

    client: Client
    destinations: Sequence[Destination]
    secret: str | None = attrs.field(default=None, repr=False)

    async def receive(self, data: bytes, secret: str | None = None) -> HTTPStatus:
        """Carry out an event, and return how to answer it."""
        if self.secret is not None and not hmac.compare_digest(
            self.secret.encode(), (secret or "").encode()
        ):
            return HTTPStatus.FORBIDDEN
        try:
            wanted = restreams_for(data, self.destinations)
        except UnusableEventError as error:
            _log.warning("%s", error)
            return HTTPStatus.BAD_REQUEST
        ends = await asyncio.gather(*(self.client.outcome(new, ensure=True) for new in wanted))
        failures = [end.error for end in ends if isinstance(end, Failed)]
        for failure in failures:
            _log.warning("a restream for an event was not created: %s", failure)
        # What is refused will be refused again: sending the event again is of no use.
        if all(map(is_final, failures)):
            return HTTPStatus.NO_CONTENT
        return HTTPStatus.SERVICE_UNAVAILABLE


def aiohttp_handler(webhook: Webhook) -> Callable[["web.Request"], Awaitable["web.Response"]]:
    """Return a handler for `app.router.add_post("/webhooks", …)`."""
    from aiohttp import web  # noqa: PLC0415 - only who mounts it needs it

    async def handle(request: web.Request) -> web.Response:
        # What is too large, aiohttp answers with 413 by itself.
        status = await webhook.receive(await request.read(), request.headers.get(SECRET_HEADER))
        return web.Response(status=status)

    return handle


def asgi_endpoint(
    webhook: Callable[[], Webhook],
) -> Callable[["Request"], Awaitable["Response"]]:
    """Return an endpoint for `app.add_route("/webhooks", …, methods=["POST"])`.

    For FastAPI and Starlette. `webhook` is asked at each request, because the client opens only
    with the application.
    """
    from starlette.responses import Response  # noqa: PLC0415 - only who mounts it needs it

    async def endpoint(request: "Request") -> Response:
        body = bytearray()
        # Piece by piece: a length may be missing, or a lie.
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        status = await webhook().receive(bytes(body), request.headers.get(SECRET_HEADER))
        return Response(status_code=status)

    return endpoint
