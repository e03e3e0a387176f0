"""Private: what an exception of aiohttp means, in words without secrets.

The texts of aiohttp are not used: they may hold URLs, headers, and what the service sent.
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
        stale: whether the connection was closed.
        unreadable: whether something came that is no valid HTTP.
        untrusted: whether the certificate of the service could not be verified.
        remedy: what the user can do, or empty.
        proxy_status: the status with which a proxy refused for good, or 0.
        leg: which part of a connection through a proxy failed: "to" the proxy, or "through" it to
            the service; empty if neither did, or without a proxy.

    """

    detail: str
    connected: bool
    stale: bool
    unreadable: bool
    untrusted: bool
    remedy: str
    proxy_status: int
    leg: Literal["", "to", "through"]

    @classmethod
    def of(cls, error: BaseException) -> "ConnectionFailure":
        """Return what an exception that aiohttp has just raised means, or a cancellation inside it.

        Removes the exception's traceback: its frames hold the exception, which would keep both, and
        the API key, until garbage collection.
        """
        frames = traceback.walk_tb(error.__traceback__)
        # A cancellation, and some errors of proxies, do not say whether there was a connection. The
        # functions in the traceback do.
        passed = [frame.f_code for frame, _ in frames]
        connected = not (isinstance(error, aiohttp.ClientConnectorError) or _CONNECT in passed)
        leg = _leg(error, {code.co_name for code in passed})
        failure = cls(
            detail=_detail(error, "service" if connected else "proxy", leg),
            connected=connected,
            stale=connected and isinstance(error, _CLOSED),
            # Before there is a connection, what is unreadable comes from a proxy.
            unreadable=connected
            and isinstance(error, _UNREADABLE)
            and not isinstance(error, aiohttp.ClientHttpProxyError),
            untrusted=isinstance(error, _UNTRUSTED),
            remedy=_remedy(error, leg),
            proxy_status=_proxy_status(error),
            leg=leg,
        )
        # Not that of its context, which may be an exception of the caller.
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__, cause = None, cause.__cause__
        return failure


# The function in which aiohttp waits for a connection, opens it, and asks a proxy for it.
_CONNECT: Final = aiohttp.BaseConnector.connect.__code__
_CLOSED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_UNREADABLE: Final = (aiohttp.ClientResponseError, HttpProcessingError)
# Statuses with which a proxy refuses for good.
_REFUSALS: Final = frozenset(range(400, 500)) - {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_UNTRUSTED: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)


def _leg(error: BaseException, passed: set[str]) -> Literal["", "to", "through"]:
    """Return `ConnectionFailure.leg`; `passed` are the functions that the exception came through.

    aiohttp raises the same exceptions for the name and the certificate of a proxy as for those of
    the service.
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
# By OpenSSL's verify codes: not valid yet, expired; another host name, another address.
_REMEDIES: Final = {9: _OTHER_TIME, 10: _OTHER_TIME, 62: _OTHER_HOST, 64: _OTHER_HOST}


def _remedy(error: BaseException, leg: str) -> str:
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return _of_peer(_OTHER_FINGERPRINT, leg)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return certificate_remedy(error.certificate_error, leg)
    return _CHECK_PROXY if leg == "to" else ""


def certificate_remedy(error: Exception, leg: str = "") -> str:
    """Return what to do about a certificate that OpenSSL refuses; `leg` is as above."""
    return _of_peer(_REMEDIES.get(getattr(error, "verify_code", 0), _TRUST), leg)


def _of_peer(remedy: str, leg: str) -> str:
    if leg == "to":
        return remedy.format(peer="proxy", url="proxy URL")
    return remedy.format(peer="service", url="base URL")


def _proxy_status(error: BaseException) -> int:
    """Return the status with which a proxy refused for good; others may pass by themselves."""
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return 0
    return error.status if error.status in _REFUSALS else 0


def _detail(error: BaseException, peer: str, leg: str) -> str:
    """Return what happened; `peer` is the service or the proxy, which should have answered."""
    defect = _defect(error)
    if defect:
        return defect if peer == "service" else f"what the proxy answered cannot be read ({defect})"
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            host = getattr(error, "host", "")
            return text.format(
                why=reason_of(error),
                host=f"the proxy, {host}" if leg == "to" else host,
                name=f"of the proxy, {host}," if leg == "to" else host,
                port=getattr(error, "port", ""),
                status=getattr(error, "status", ""),
                peer=peer,
            )
    return f"the connection was lost ({reason_of(error)})"


def _defect(error: BaseException) -> str:
    """Return why a response is no valid HTTP; empty for other errors."""
    cause = error
    # aiohttp wraps the exception of its parser.
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


# The text of aiohttp's parser.
_MANY_FIELDS: Final = "Too many headers received"
_UNKNOWN: Final = "no reason was given"


def reason_of(error: BaseException) -> str:
    """Return the reason in the words of the operating system, its resolver or OpenSSL."""
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


# Subclasses come before their bases.
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
    # aiohttp's check of settings that only a user's session can have.
    (
        ValueError,
        "aiohttp refuses the session's settings, such as a header or credentials from .netrc",
    ),
)
