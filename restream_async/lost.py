"""Why an exchange over aiohttp brought no answer.

Without what aiohttp's own texts may carry: URLs, headers, and what the service sent.
"""

import os
import socket
import ssl
import traceback
from typing import Final

import aiohttp
import attrs
from aiohttp.http_exceptions import HttpProcessingError

_PROXY_LOGIN: Final = 407


@attrs.frozen(kw_only=True)
class Lost:
    """What an exception of aiohttp means.

    Attributes:
        detail: what happened.
        connected: whether there was a connection to the service, through the proxy if there is one.
        stale: whether a connection that was there is closed.
        unreadable: whether something came that is no answer in HTTP.
        untrusted: whether the certificate of the service is not the right one.
        remedy: what to do about that, if there is anything.

    """

    detail: str
    connected: bool
    stale: bool
    unreadable: bool
    untrusted: bool
    remedy: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Lost":
        """Read it off an exception that has just come out of aiohttp, a cancellation included."""
        connected = not (isinstance(error, aiohttp.ClientConnectorError) or _was_connecting(error))
        return cls(
            detail=_detail(error),
            connected=connected,
            stale=connected and isinstance(error, _CLOSED),
            unreadable=isinstance(error, _UNREADABLE)
            and not isinstance(error, aiohttp.ClientHttpProxyError),
            untrusted=isinstance(error, _UNTRUSTED),
            remedy=_remedy(error),
        )


# The function in which aiohttp waits for a connection, makes it, and asks a proxy for it.
_CONNECT: Final = aiohttp.BaseConnector.connect.__code__
_CLOSED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_UNREADABLE: Final = (aiohttp.ClientResponseError, HttpProcessingError)
_UNTRUSTED: Final = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)


def _was_connecting(error: BaseException) -> bool:
    """Say whether aiohttp had no connection yet.

    A cancellation says nothing about it, nor do all errors of proxies; where they come from does.
    """
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is _CONNECT for frame, _ in frames)


_TRUST: Final = (
    "trust the certificate authority of the service with SSL_CERT_FILE, with ssl=… of "
    "RestreamClient, or with --ca-file on the command line"
)
_OTHER_HOST: Final = "check the host in the base URL: the certificate is that of another one"
_OTHER_TIME: Final = (
    "the service has to renew its certificate, unless the clock of this machine is wrong"
)
_OTHER_FINGERPRINT: Final = "if the service has a new one, pass its fingerprint as ssl=…"
# By the codes of OpenSSL: not valid yet, expired; another host name, another address.
_REMEDIES: Final = {9: _OTHER_TIME, 10: _OTHER_TIME, 62: _OTHER_HOST, 64: _OTHER_HOST}


def _remedy(error: BaseException) -> str:
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return _OTHER_FINGERPRINT
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ""
    return _REMEDIES.get(getattr(error.certificate_error, "verify_code", 0), _TRUST)


def _detail(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == _PROXY_LOGIN:
        return f"the proxy wants a login ({_PROXY_LOGIN})"
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            return text.format(
                why=_why(error),
                host=getattr(error, "host", ""),
                port=getattr(error, "port", ""),
                status=getattr(error, "status", ""),
            )
    return f"the connection was lost ({_why(error)})"


def _why(error: BaseException) -> str:
    """Return the reason in the words of the system, of its resolver or of OpenSSL."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", "") or getattr(cause, "reason", "")
        return said.replace("_", " ").rstrip(".").lower() or type(cause).__name__
    if isinstance(cause, socket.gaierror) and cause.strerror:
        return cause.strerror
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return type(cause).__name__


# The narrower kind before the wider.
_TEXTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        aiohttp.ClientConnectorCertificateError,
        "the certificate of {host} could not be verified ({why})",
    ),
    (aiohttp.ServerFingerprintMismatch, "the certificate of {host} is not the expected one"),
    (aiohttp.ClientSSLError, "the TLS connection to {host} port {port} failed ({why})"),
    (aiohttp.ClientConnectorDNSError, "the name {host} could not be resolved ({why})"),
    (
        aiohttp.ClientProxyConnectionError,
        "no connection to the proxy, {host} port {port} ({why})",
    ),
    (aiohttp.ClientConnectorError, "no connection to {host} port {port} ({why})"),
    (aiohttp.ClientPayloadError, "the connection was lost in the middle of the answer"),
    (aiohttp.ServerDisconnectedError, "the service closed the connection without an answer"),
    (aiohttp.ClientHttpProxyError, "the proxy refused the connection ({status})"),
    (aiohttp.ClientResponseError, "it is not valid HTTP"),
    (HttpProcessingError, "it is not valid HTTP"),
    (aiohttp.InvalidURL, "the URL cannot be used"),
    (aiohttp.NonHttpUrlClientError, "the URL cannot be used"),
    # aiohttp's own check, of settings that only a session from outside can have.
    (
        ValueError,
        "aiohttp refuses the session's settings, such as a header or credentials from .netrc",
    ),
)
