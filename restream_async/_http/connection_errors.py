"""Why an exchange over aiohttp brought no answer.

Without what aiohttp's own texts may carry: URLs, headers, and what the service sent.
"""

import os
import socket
import ssl
import traceback
from http import HTTPStatus
from typing import Final, Literal

import aiohttp
import attrs
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong


@attrs.frozen(kw_only=True)
class ConnectionFailure:
    """What an exception of aiohttp means.

    Attributes:
        detail: what happened.
        connected: whether there was a connection to the service, through the proxy if there is one.
        leg: which part of a connection over a proxy there was not yet: to the proxy, or through it
            to the service; empty where there was all of it, or there is no proxy.
        stale: whether a connection that was there is closed.
        unreadable: whether something came that is no answer in HTTP.
        untrusted: whether the certificate of the service is not the right one.
        remedy: what to do about that, if there is anything.
        proxy_status: the status with which a proxy has refused for good, or 0.

    """

    detail: str
    connected: bool
    stale: bool
    unreadable: bool
    untrusted: bool
    remedy: str = ""
    proxy_status: int = 0
    leg: Literal["", "to", "through"] = ""

    @classmethod
    def of(cls, error: BaseException) -> "ConnectionFailure":
        """Read it off an exception that has just come out of aiohttp, a cancellation included.

        Its frames are taken off: they hold it, so that it would live until the garbage collector
        comes, and the API key with it.
        """
        frames = traceback.walk_tb(error.__traceback__)
        # A cancellation says nothing about it, nor do all errors of proxies; where they come from
        # does.
        passed = [frame.f_code for frame, _ in frames]
        connected = not (isinstance(error, aiohttp.ClientConnectorError) or _CONNECT in passed)
        leg = _leg(error, {code.co_name for code in passed})
        lost = cls(
            detail=_detail(error, "service" if connected else "proxy", leg),
            connected=connected,
            stale=connected and isinstance(error, _CLOSED),
            # What cannot be read before there is a connection, a proxy has sent.
            unreadable=connected
            and isinstance(error, _UNREADABLE)
            and not isinstance(error, aiohttp.ClientHttpProxyError),
            untrusted=isinstance(error, _UNTRUSTED),
            remedy=_remedy(error, leg),
            proxy_status=_proxy_status(error),
            leg=leg,
        )
        # Not those of its context, which may be an exception of the caller.
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__, cause = None, cause.__cause__
        return lost


# The function in which aiohttp waits for a connection, makes it, and asks a proxy for it.
_CONNECT: Final = aiohttp.BaseConnector.connect.__code__
_CLOSED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_UNREADABLE: Final = (aiohttp.ClientResponseError, HttpProcessingError)
_UNTRUSTED: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)


def _leg(error: BaseException, passed: set[str]) -> Literal["", "to", "through"]:
    """Return `ConnectionFailure.leg`, by the names of the functions that an exception has passed.

    aiohttp calls the name of a proxy, and its certificate, by the same kinds of exceptions as those
    of the service.
    """
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "to"
    if "_create_proxy_connection" not in passed:
        return ""
    return "to" if "_create_direct_connection" in passed else "through"


_TRUST: Final = (
    "trust the certificate authority of the {peer} with ssl=… or the variable SSL_CERT_FILE"
)
_OTHER_HOST: Final = "check the host in the {url}: the certificate is that of another one"
_OTHER_TIME: Final = (
    "the {peer} has to renew its certificate, unless the clock of this machine is wrong"
)
_OTHER_FINGERPRINT: Final = "if the {peer} has a new one, pass its fingerprint as ssl=…"
_CHECK_PROXY: Final = "check the proxy: proxy=… or the variable that names it"
# By the codes of OpenSSL: not valid yet, expired; another host name, another address.
_REMEDIES: Final = {9: _OTHER_TIME, 10: _OTHER_TIME, 62: _OTHER_HOST, 64: _OTHER_HOST}


def _remedy(error: BaseException, leg: str) -> str:
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        remedy = _OTHER_FINGERPRINT
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        remedy = _REMEDIES.get(getattr(error.certificate_error, "verify_code", 0), _TRUST)
    else:
        return _CHECK_PROXY if leg == "to" else ""
    if leg == "to":
        return remedy.format(peer="proxy", url="proxy URL")
    return remedy.format(peer="service", url="base URL")


def _proxy_status(error: BaseException) -> int:
    """Return how a proxy has refused for good; other answers of proxies change by themselves."""
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return 0
    passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    return error.status if 400 <= error.status < 500 and error.status not in passing else 0  # noqa: PLR2004 - HTTP's own classes


def _detail(error: BaseException, peer: str, leg: str) -> str:
    """Return what happened; `peer` is who should have answered."""
    defect = _defect(error)
    if defect:
        return defect if peer == "service" else f"what the proxy answered cannot be read ({defect})"
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            host = getattr(error, "host", "")
            return text.format(
                why=_why(error),
                host=f"the proxy, {host}" if leg == "to" else host,
                name=f"of the proxy, {host}," if leg == "to" else host,
                port=getattr(error, "port", ""),
                status=getattr(error, "status", ""),
                peer=peer,
            )
    return f"the connection was lost ({_why(error)})"


def _defect(error: BaseException) -> str:
    """Return what is wrong with an answer that cannot be read; empty if it is not that."""
    cause = error
    # aiohttp wraps what its parser says.
    while isinstance(cause.__cause__, HttpProcessingError):
        cause = cause.__cause__
    if isinstance(cause, ContentEncodingError):
        return "it is compressed, which was not asked for, and cannot be decompressed"
    if isinstance(error, aiohttp.ClientHttpProxyError) or not isinstance(error, _UNREADABLE):
        return ""
    if isinstance(cause, LineTooLong):
        return "its status line or one of its header fields is too long"
    if getattr(cause, "message", "") == _MANY_FIELDS:
        return "it has too many header fields"
    return "it is not valid HTTP"


# As aiohttp's parser says it.
_MANY_FIELDS: Final = "Too many headers received"
_UNKNOWN: Final = "no reason was given"


def _why(error: BaseException) -> str:
    """Return the reason in the words of the system, of its resolver or of OpenSSL."""
    cause: BaseException | None = error.__cause__
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    elif not isinstance(cause, OSError):
        cause = error
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or _UNKNOWN
        return said.replace("_", " ").rstrip(".").lower()
    if isinstance(cause, socket.gaierror) and cause.strerror:
        return cause.strerror
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return "it was closed" if isinstance(cause, ConnectionError) else _UNKNOWN


# The narrower kind before the wider.
_TEXTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        aiohttp.ClientConnectorCertificateError,
        "the certificate of {host} could not be verified ({why})",
    ),
    (aiohttp.ServerFingerprintMismatch, "the certificate of {host} is not the expected one"),
    (aiohttp.ClientSSLError, "the TLS connection to {host} port {port} failed ({why})"),
    (aiohttp.ClientConnectorDNSError, "the name {name} could not be resolved ({why})"),
    (aiohttp.ClientConnectorError, "no connection to {host} port {port} ({why})"),
    (aiohttp.ClientPayloadError, "the connection was lost in the middle of the answer"),
    (aiohttp.ServerDisconnectedError, "the {peer} closed the connection without an answer"),
    (aiohttp.ClientHttpProxyError, "the proxy could not connect to the service ({status})"),
    (aiohttp.InvalidURL, "the URL cannot be used"),
    (aiohttp.NonHttpUrlClientError, "the URL cannot be used"),
    # aiohttp's own check, of settings that only a session from outside can have.
    (
        ValueError,
        "aiohttp refuses the session's settings, such as a header or credentials from .netrc",
    ),
)
