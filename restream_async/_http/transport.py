"""One exchange over aiohttp. Nothing of aiohttp leaves this room: no exception, no response.

It decides nothing; it only notes what matters to the verdict: whether the request may have left.
"""

import asyncio
import ssl
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

import aiohttp
import attrs
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from restream_async._http.connection_errors import ConnectionFailure
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._http.request_body import Body, PreparedRequest, resetting_socket
from restream_async._http.timeouts import SharedTimeouts
from restream_async.errors import ConfigurationError
from restream_async.settings import Proxy

LARGEST_ANSWER: Final = 2**20
"""Bytes; an answer beyond them is not read to its end."""
LARGEST_FIELD: Final = 2**16
"""Bytes; an answer with a larger header field or status line is not read."""
MOST_FIELDS: Final = 512
"""An answer with more header fields is not read."""

Tls: TypeAlias = ssl.SSLContext | aiohttp.Fingerprint | bool
"""What aiohttp takes as `ssl`."""

_USER_AGENT: Final = "restream-async"
# No time-out of aiohttp's own: one clock rules an attempt, and it starts when the place in the
# pool is sure.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
_OPTIONS: Final[dict[str, Any]] = {
    "timeout": _NO_TIMEOUT,
    "max_line_size": LARGEST_FIELD,
    "max_field_size": LARGEST_FIELD,
    "max_headers": MOST_FIELDS,
}
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
        """Remember where to send to; the session is opened by the first request.

        Args:
            base_url: scheme, host and perhaps a path.
            authorization: the value of the header of that name.
            limit: the size of the connection pool.
            session: somebody else's session; it is left open.
            tls: whom to trust; None or True for whom the session trusts.
            proxy: what to send through.

        Raises:
            ConfigurationError: the base URL, the proxy, the session or `tls` cannot be used.

        """
        self._base = _url("base_url", base_url)
        _check_session(session)
        self._tls = _checked(tls)
        self._prefix = str(self._base)
        self._headers: dict[str, str] = {
            # aiohttp's own names: others it would look at anew in each request.
            hdrs.AUTHORIZATION: authorization,
            hdrs.ACCEPT: "application/json",
            hdrs.ACCEPT_ENCODING: "identity",
            hdrs.USER_AGENT: _USER_AGENT,
        }
        # What a session of our own knows from its beginning; to say it for each request costs one
        # per cent of a creation.
        self._named = {hdrs.HOST: self._base.host_port_subcomponent or "", **self._headers}
        self._options: dict[str, Any] = {}
        if session is not None:
            self._options = {"headers": self._headers, "raise_for_status": False, "ssl": self._tls}
            self._options |= _OPTIONS
        if proxy is not None:
            headers = self._named if session is None else self._headers
            self._options |= _through(proxy, headers, self._base)
        # An existence check must not see what was there some time ago.
        fresh = {**self._options.get("headers", {}), hdrs.CACHE_CONTROL: "no-cache"}
        self._reading: dict[str, Any] = {**self._options, "headers": fresh}
        self._limit = limit
        self._session = session
        self._owned = session is None
        self._closed = False
        self._alarms: SharedTimeouts | None = None
        # Whether a connection has ever turned out to be closed when something was sent on it.
        self._wary = False
        self._last_path = ""
        self._last_url = self._base

    @property
    def pool_size(self) -> int:
        """How many requests can be on connections at once."""
        connector = self._session.connector if self._session is not None else None
        if self._owned or connector is None:
            return self._limit
        sizes = (self._limit, connector.limit, connector.limit_per_host)
        return min(size for size in sizes if size > 0)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that somebody else's session belongs to; None without one."""
        # aiohttp's public name for it warns; and a test may hand in something like a session.
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
        """Send a request and bring back what came of it.

        Args:
            request: what to send.
            timeout: seconds for all of it: connecting, sending, reading the answer.
            stale_tries: how many kept-alive connections that turn out to be closed, before
                anything was written to them, are replaced at once.

        Raises:
            asyncio.CancelledError: at once; the connection is reset.

        """
        session, alarms = self._session, self._alarms
        # Without alarms it was not opened yet, or was closed, as only `close` does to our own.
        if session is None or alarms is None or (not self._owned and session.closed):
            if self.closed_reason:
                return NoResponse(detail=self.closed_reason, sent=False, closed=True)
            session, alarms = self._open()
        request.sent = False
        body, options = self._prepared(request)
        response: aiohttp.ClientResponse | None = None
        timed_out = False
        alarm = alarms.set(timeout)
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
                # All of it came along with the headers, as a short answer does.
                return _reply(response, body=content.read_nowait())
            return await _read(response)
        except asyncio.CancelledError as error:
            lost, timed_out = ConnectionFailure.of(error), alarm.rang()
            # A pool that is closed cancels what waits for it, and nobody has cancelled the task.
            if not timed_out and (alarm.overruled or not session.closed):
                # Without the frames of aiohttp: their locals hold the header.
                raise error.with_traceback(None) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            # What watches somebody's own session may have turned the alarm into an error.
            lost, timed_out = (
                ConnectionFailure.of(error),
                alarm.rang() or isinstance(error, TimeoutError),
            )
        except RuntimeError as error:
            # aiohttp says so when a session is closed under a request.
            if not session.closed:
                raise
            lost = ConnectionFailure.of(error)
        finally:
            alarm.stop()
            # One that was read to its end has let go of its connection by itself.
            if response is None or not response.closed:
                _abandon(response, body)
        sent = lost.connected if body is None else request.sent
        self._wary = self._wary or lost.stale
        if lost.stale and not (sent or timed_out) and stale_tries:
            return await self.send(request, timeout, stale_tries=stale_tries - 1)
        ended = NoResponse(
            detail=lost.detail,
            sent=sent,
            timed_out=timed_out,
            closed=session.closed and not timed_out,
            unreadable=lost.unreadable,
            untrusted=lost.untrusted,
            remedy=lost.remedy,
            proxy_status=lost.proxy_status,
        )
        return _as_far_as_it_came(response, ended, timeout, self._missing(lost.leg))

    async def close(self) -> None:
        """Close the session, unless it is somebody else's. Nothing can be sent afterwards."""
        self._closed = True
        if self._alarms is not None:
            self._alarms.close()
            self._alarms = None
        if self._owned and self._session is not None:
            await self._session.close()

    def _missing(self, leg: Literal["", "to", "through"]) -> str:
        """Return which connection has not come about."""
        if leg == "to":
            proxy: URL | None = self._options.get("proxy")
            # One of somebody else's session is not known here.
            where = f", {proxy.host} port {proxy.port}," if proxy is not None else ""
            return f"connection to the proxy{where}"
        return "connection through the proxy" if leg else "connection"

    def _open(self) -> tuple[aiohttp.ClientSession, SharedTimeouts]:
        if self._session is None:
            # What every request carries is merged once; the jar keeps no cookies. To a proxy,
            # aiohttp would send the headers of its session as well, and with them the API key.
            given = {} if "proxy" in self._options else self._named
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limit, ssl=self._tls, socket_factory=resetting_socket
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=given,
                request_class=PreparedRequest,
                **_OPTIONS,
            )
        self._alarms = SharedTimeouts(asyncio.get_running_loop())
        return self._session, self._alarms

    @property
    def _apart(self) -> dict[str, Any]:
        """The options of what is sent again.

        It needs a new connection: not the one that its existence check has just used, nor another
        that may be about to close. To name the host changes nothing, but makes aiohttp use another
        pool; and `Body` leaves no connection in that.
        """
        return {**self._options, "server_hostname": self._base.raw_host}

    def _prepared(self, request: Request) -> tuple[Body | None, dict[str, Any]]:
        if request.method == "GET":
            return None, self._reading
        body = Body(request)
        if self._wary or not self._owned:
            body.wary, body.foreign = self._wary, not self._owned
        return body, self._apart if request.again else self._options

    def _url(self, path: str) -> URL:
        if path != self._last_path:
            self._last_path = path
            self._last_url = URL(f"{self._prefix}{path}", encoded=True)
        return self._last_url


def _url(name: str, text: str) -> URL:
    try:
        url = URL(text)
        # What looking the name up begins with; a label may be too long for it.
        (url.raw_host or "").encode("idna")
    except ValueError:
        url = URL()
    if not url.host:
        raise ConfigurationError(f"{name} has a host that no DNS name or address can be")
    return url


def _through(proxy: Proxy, headers: dict[str, str], base: URL) -> dict[str, Any]:
    """Return the options of requests that go through a proxy."""
    login: dict[str, str] = (
        {hdrs.PROXY_AUTHORIZATION: proxy.authorization} if proxy.authorization else {}
    )
    if base.scheme == "http":
        # Without TLS there is no CONNECT that could carry it.
        headers = {**headers, **login}
    return {"headers": headers, "proxy": _url("proxy", proxy.url), "proxy_headers": login}


def _check_session(session: object) -> None:
    if session is None:
        return
    if not isinstance(session, aiohttp.ClientSession):
        kind = type(session).__name__
        raise ConfigurationError(f"session must be an aiohttp.ClientSession or None, not {kind}")
    if session.auth is not None:
        raise ConfigurationError(
            "the session has an auth of its own, which contradicts the API key: pass one without"
        )


def _checked(tls: object) -> Tls:
    if tls is None:
        return True
    if not isinstance(tls, Tls):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext, an aiohttp.Fingerprint, True or False"
        )
    return tls


def _reply(response: aiohttp.ClientResponse, *, body: bytes = b"", defect: str = "") -> Response:
    return Response(response.status, response.reason or "", response.headers, body, defect)


def _abandon(response: aiohttp.ClientResponse | None, body: Body | None) -> None:
    if response is not None:
        response.release()
    if body is not None:
        body.abandon()


async def _read(response: aiohttp.ClientResponse) -> Response:
    chunks: list[bytes] = []
    room = LARGEST_ANSWER - (response.content_length or 0)
    if room >= 0:
        room = LARGEST_ANSWER
        async for chunk in response.content.iter_any():
            room -= len(chunk)
            if room < 0:
                break
            chunks.append(chunk)
    if room < 0:
        # Not to be read on, nor to be used again.
        response.close()
        return _reply(response, defect=f"it is larger than {LARGEST_ANSWER} bytes")
    return _reply(response, body=b"".join(chunks))


def _as_far_as_it_came(
    response: aiohttp.ClientResponse | None, ended: NoResponse, timeout: float, connection: str
) -> Response | NoResponse:
    if ended.timed_out:
        kind = "answer" if ended.sent else connection
        ended = attrs.evolve(ended, detail=f"no {kind} within {timeout:.3g} s")
    elif ended.closed:
        ended = attrs.evolve(ended, detail="the client was closed during the request")
    if response is not None and (not ended.timed_out or response.status >= HTTPStatus.BAD_REQUEST):
        # The status is known, and may say enough.
        return _reply(response, defect=ended.detail)
    return ended
