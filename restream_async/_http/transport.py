"""Private: one exchange over aiohttp. No exception and no response of aiohttp leaves this module.

It decides nothing, but notes what the classification needs: whether the request may have been sent.
"""

import asyncio
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import attrs
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from restream_async._http.connection_errors import ConnectionFailure
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._http.request_body import Body
from restream_async._http.request_options import RequestOptions, Tls
from restream_async._http.shared_timeouts import SharedTimeouts
from restream_async._proxy import Proxy

LARGEST_RESPONSE: Final = 2**20
"""Bytes; a longer body is not read to its end."""

# How many kept-alive connections that turn out to be closed are replaced at once.
_STALE_TRIES: Final = 3


class Transport:
    """Sends requests to one service over one aiohttp session."""

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        base_url: str,
        authorization: str,
        *,
        limit: int,
        session: aiohttp.ClientSession | None = None,
        tls: Tls | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        """Check the settings. The first request opens the session.

        Args:
            base_url: scheme, host and perhaps a path.
            authorization: the value of the `Authorization` header.
            limit: the size of the connection pool.
            session: the user's session; it is left open.
            tls: which certificates to trust; None or True for those that the session trusts.
            proxy: the proxy to send through.

        Raises:
            ConfigurationError: the base URL, the proxy, the session or `tls` cannot be used.

        """
        self._options = RequestOptions(
            base_url, authorization, session=session, tls=tls, proxy=proxy
        )
        prefix = str(self._options.base)

        @lru_cache(maxsize=16)
        def url(path: str) -> URL:
            return URL(f"{prefix}{path}", encoded=True)

        self._url = url
        self._limit = limit
        self._session = session
        self._owned = session is None
        self._closed = False
        self._timeouts: SharedTimeouts | None = None
        # Whether a kept-alive connection was ever found closed when something was sent on it.
        self._found_closed = False

    @property
    def pool_size(self) -> int:
        """How many connections can be in use at once."""
        connector = self._session.connector if self._session is not None else None
        if self._owned or connector is None:
            return self._limit
        sizes = (self._limit, connector.limit, connector.limit_per_host)
        return min(size for size in sizes if size > 0)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the user's session belongs to; None without one."""
        # aiohttp's public name for it warns; and a test may pass something like a session.
        loop = getattr(self._session, "_loop", None)
        return loop if isinstance(loop, asyncio.AbstractEventLoop) else None

    @property
    def closed_reason(self) -> str:
        """Why nothing can be sent any more; empty while it can."""
        if self._closed:
            return "the client is closed"
        if self._session is not None and self._session.closed:
            return "the session that the client was given is closed"
        return ""

    async def send(  # noqa: C901 - one exchange, read from top to bottom
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109 - of one attempt, and only handed on
        *,
        stale_tries: int = _STALE_TRIES,
    ) -> Response | NoResponse:
        """Send a request once, and return the response, or why there is none.

        Args:
            request: what to send.
            timeout: seconds for all of it: connecting, sending, reading the response.
            stale_tries: how many kept-alive connections that turn out to be closed, before
                anything was written to them, are replaced at once.

        Raises:
            asyncio.CancelledError: at once; the connection is reset.

        """
        session, timeouts = self._session, self._timeouts
        # Without timeouts it was not opened yet, or `close` was called.
        if session is None or timeouts is None or (not self._owned and session.closed):
            if self.closed_reason:
                return NoResponse(detail=self.closed_reason, sent=False, closed=True)
            session, timeouts = self._open()
        request.sent = False
        body, options = self._prepare(request)
        response: aiohttp.ClientResponse | None = None
        timed_out = False
        shared_timeout = timeouts.start(timeout)
        try:
            response = await session.request(
                request.method,
                self._url(request.path),
                data=body,
                allow_redirects=False,
                **options,
            )
            content = response.content
            if content.is_eof() and content.exception() is None:
                # A short body arrives with the headers. To read it at once saves 4 % of a creation.
                return _response(response, body=content.read_nowait())
            return await _read(response)
        except asyncio.CancelledError as error:
            failure, timed_out = ConnectionFailure.of(error), shared_timeout.expired()
            # A pool that is closed cancels what waits for it, though no one cancelled the task.
            if not timed_out and (shared_timeout.cancelled_from_outside or not session.closed):
                # Without the frames of aiohttp: their locals hold the API key.
                raise error.with_traceback(None) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            failure = ConnectionFailure.of(error)
            # Code that watches the user's session may have made a TimeoutError of the timeout.
            timed_out = shared_timeout.expired() or isinstance(error, TimeoutError)
        except RuntimeError as error:
            # aiohttp raises it when a session is closed under a request.
            if not session.closed:
                raise
            failure = ConnectionFailure.of(error)
        finally:
            shared_timeout.cancel()
            # A response that was read to its end has released its connection.
            if response is None or not response.closed:
                _abandon(response, body)
        sent = failure.connected if body is None else request.sent
        self._found_closed = self._found_closed or failure.stale
        if failure.stale and not (sent or timed_out) and stale_tries:
            return await self.send(request, timeout, stale_tries=stale_tries - 1)
        ended = NoResponse(
            detail=failure.detail,
            sent=sent,
            timed_out=timed_out,
            closed=session.closed and not timed_out,
            unreadable=failure.unreadable,
            untrusted=failure.untrusted,
            remedy=failure.remedy,
            proxy_status=failure.proxy_status,
        )
        return _partial_response(response, ended, timeout, self._connection(failure))

    async def close(self) -> None:
        """Close the session, unless it is the user's. Nothing can be sent afterwards."""
        self._closed = True
        if self._timeouts is not None:
            self._timeouts.close()
            self._timeouts = None
        if self._owned and self._session is not None:
            await self._session.close()

    def _open(self) -> tuple[aiohttp.ClientSession, SharedTimeouts]:
        if self._session is None:
            self._session = self._options.open_session(self._limit)
        self._timeouts = SharedTimeouts(asyncio.get_running_loop())
        return self._session, self._timeouts

    def _prepare(self, request: Request) -> tuple[Body | None, dict[str, Any]]:
        if request.method == "GET":
            return None, self._options.read
        body = Body(request, foreign=not self._owned, suspicious=self._found_closed)
        return body, self._options.again if request.again else self._options.first

    def _connection(self, failure: ConnectionFailure) -> str:
        """Return the name of the connection that was missing at a timeout."""
        if failure.leg == "to":
            proxy = self._options.proxy
            # The proxy of a user's session is not known here.
            where = f", {proxy.host} port {proxy.port}," if proxy is not None else ""
            return f"connection to the proxy{where}"
        return "connection through the proxy" if failure.leg else "connection"


def _response(response: aiohttp.ClientResponse, *, body: bytes = b"", defect: str = "") -> Response:
    return Response(response.status, response.reason or "", response.headers, body, defect)


def _abandon(response: aiohttp.ClientResponse | None, body: Body | None) -> None:
    if response is not None:
        response.release()
    if body is not None:
        body.abandon()


async def _read(response: aiohttp.ClientResponse) -> Response:
    chunks: list[bytes] = []
    room = LARGEST_RESPONSE - (response.content_length or 0)
    if room >= 0:
        room = LARGEST_RESPONSE
        async for chunk in response.content.iter_any():
            room -= len(chunk)
            if room < 0:
                break
            chunks.append(chunk)
    if room < 0:
        # The connection cannot be used again.
        response.close()
        return _response(response, defect=f"it is larger than {LARGEST_RESPONSE} bytes")
    return _response(response, body=b"".join(chunks))


def _partial_response(
    response: aiohttp.ClientResponse | None, ended: NoResponse, timeout: float, connection: str
) -> Response | NoResponse:
    """Return the response without its body if its status says enough, else why there is none."""
    if ended.timed_out:
        kind = "answer" if ended.sent else connection
        ended = attrs.evolve(ended, detail=f"no {kind} within {timeout:.3g} s")
    elif ended.closed:
        ended = attrs.evolve(ended, detail="the client was closed during the request")
    if response is not None and (not ended.timed_out or response.status >= HTTPStatus.BAD_REQUEST):
        return _response(response, defect=ended.detail)
    return ended
