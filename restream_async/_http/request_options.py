"""Private: the aiohttp options of each request: headers, TLS, proxy and limits."""

import ssl
from typing import Any, Final, TypeAlias

import aiohttp
from aiohttp import hdrs
from yarl import URL

from restream_async._http.request_body import PreparedRequest, resetting_socket
from restream_async._proxy import Proxy
from restream_async.errors import ConfigurationError

LARGEST_FIELD: Final = 2**16
"""Bytes; a response with a larger header field or status line is not read."""
MOST_FIELDS: Final = 512
"""A response with more header fields is not read."""

Tls: TypeAlias = ssl.SSLContext | aiohttp.Fingerprint | bool
"""What aiohttp accepts as `ssl`."""

_USER_AGENT: Final = "restream-async"
_COMMON: Final[dict[str, Any]] = {
    # No timeout of aiohttp: one timeout is for all of an attempt.
    "timeout": aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None),
    "max_line_size": LARGEST_FIELD,
    "max_field_size": LARGEST_FIELD,
    "max_headers": MOST_FIELDS,
}


class RequestOptions:
    """The options of all requests to one service.

    Attributes:
        base: the base URL.
        proxy: the URL of the proxy, or None.
        first: of a request that is sent for the first time.
        again: of a request that is sent again.
        read: of a list call.

    """

    def __init__(
        self,
        base_url: str,
        authorization: str,
        *,
        session: aiohttp.ClientSession | None,
        tls: Tls | None,
        proxy: Proxy | None,
    ) -> None:
        """Check the settings.

        Raises:
            ConfigurationError: the base URL, the proxy, the session or `tls` cannot be used.

        """
        self.base = _checked_url("base_url", base_url)
        _check_session(session)
        self._tls = _checked_tls(tls)
        self.proxy = _checked_url("proxy", proxy.url) if proxy is not None else None
        headers: dict[str, str] = {
            hdrs.AUTHORIZATION: authorization,
            hdrs.ACCEPT: "application/json",
            hdrs.ACCEPT_ENCODING: "identity",
            hdrs.USER_AGENT: _USER_AGENT,
        }
        # `PreparedRequest` adds no header of its own.
        self._headers = {hdrs.HOST: self.base.host_port_subcomponent or "", **headers}
        self.first: dict[str, Any] = {}
        if session is not None:
            self.first = {"headers": headers, "raise_for_status": False, "ssl": self._tls}
            self.first |= _COMMON
        if proxy is not None:
            given = self._headers if session is None else headers
            self.first |= self._through(proxy.authorization, given)
        # An existence check must not see what was there some time ago.
        fresh = {**self.first.get("headers", {}), hdrs.CACHE_CONTROL: "no-cache"}
        self.read: dict[str, Any] = {**self.first, "headers": fresh}
        # It needs a new connection: the one that its existence check used may be about to close.
        # To name the host changes nothing, but aiohttp then uses another pool, in which `Body`
        # leaves no connection.
        self.again: dict[str, Any] = {**self.first, "server_hostname": self.base.raw_host}

    def open_session(self, limit: int) -> aiohttp.ClientSession:
        """Return a session with a pool of `limit` connections."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limit, ssl=self._tls, socket_factory=resetting_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Headers that each request names cost 2 % of a creation more. But aiohttp sends those
            # of the session to a proxy as well, and with them the API key.
            headers={} if self.proxy is not None else self._headers,
            request_class=PreparedRequest,
            **_COMMON,
        )

    def _through(self, login: str, headers: dict[str, str]) -> dict[str, Any]:
        """Return the options of requests that go through the proxy."""
        for_proxy: dict[str, str] = {hdrs.PROXY_AUTHORIZATION: login} if login else {}
        if self.base.scheme == "http":
            # Without TLS there is no CONNECT that could carry the login.
            headers = {**headers, **for_proxy}
        return {"headers": headers, "proxy": self.proxy, "proxy_headers": for_proxy}


def _checked_url(name: str, text: str) -> URL:
    try:
        url = URL(text)
        # The first step of resolving the name. It fails for a label that is too long.
        (url.raw_host or "").encode("idna")
    except ValueError:
        url = URL()
    if not url.host:
        raise ConfigurationError(f"{name} has a host that no DNS name or address can be")
    return url


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


def _checked_tls(tls: object) -> Tls:
    if tls is None:
        return True
    if not isinstance(tls, Tls):
        raise ConfigurationError(
            "ssl must be an ssl.SSLContext, an aiohttp.Fingerprint, True or False"
        )
    return tls
