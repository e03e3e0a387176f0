"""Whatever aiohttp can raise arrives as one of ours, and shows nothing of aiohttp's."""

from __future__ import annotations

import inspect
import socket
import ssl
import traceback
from typing import TYPE_CHECKING, Any, Final, Self, cast
from unittest.mock import Mock

import aiohttp
import attrs
import pytest
from aiohttp import client_exceptions, http_exceptions
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from restream_async import (
    AttemptTimeoutError,
    ClientClosedError,
    MalformedResponseError,
    ProxyError,
    RestreamClient,
    RestreamError,
    RetryPolicy,
    TransportError,
)
from restream_async.errors import CertificateError
from tests.helpers.client_calls import CALLS
from tests.helpers.clients import client_of
from tests.helpers.samples import API_KEY, SECRETS, new_restream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_URL: Final = URL(f"https://user:{API_KEY}@api.example.com/?{API_KEY}")
_HEADERS: Final = CIMultiDictProxy(CIMultiDict({"Authorization": API_KEY}))
_REQUEST: Final = aiohttp.RequestInfo(_URL, "POST", _HEADERS, _URL)
_KEY: Final = ConnectionKey("api.example.com", 443, True, True, None, None, None)  # noqa: FBT003 - a named tuple


def _family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def _aiohttp_exceptions() -> list[type[Exception]]:
    kinds = [*_family(aiohttp.ClientError), *_family(http_exceptions.HttpProcessingError)]
    return sorted(
        {kind for kind in kinds if kind.__module__.startswith("aiohttp.")},
        key=lambda kind: kind.__name__,
    )


def _make(kind: type[Exception]) -> Exception:  # noqa: PLR0911 - one for each kind of signature
    """Make an exception that carries the API key wherever it can carry something."""
    make = cast("Callable[..., Exception]", kind)
    if issubclass(kind, aiohttp.ClientResponseError):
        return make(_REQUEST, (), status=500, message=API_KEY, headers=_HEADERS)
    if kind is aiohttp.ClientConnectorCertificateError:
        return make(_KEY, ssl.CertificateError(1, API_KEY))
    if kind is client_exceptions.UnixClientConnectorError:
        return make(f"/run/{API_KEY}", _KEY, OSError(2, API_KEY))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return make(_KEY, OSError(111, f"refused, {API_KEY}"))
    if kind is aiohttp.ServerFingerprintMismatch:
        return make(API_KEY.encode(), b"got", "api.example.com", 443)
    if issubclass(kind, http_exceptions.BadHttpMessage):
        return _filled(make, API_KEY)
    if issubclass(kind, http_exceptions.HttpProcessingError):
        return make(code=400, message=API_KEY, headers=_HEADERS)
    if issubclass(kind, OSError):
        return make(104, f"reset, {API_KEY}")
    return make(API_KEY)


def _filled(make: Callable[..., Exception], text: str) -> Exception:
    """Give every mandatory argument a text: these differ from class to class."""
    parameters = inspect.signature(make).parameters.values()
    needed = [item for item in parameters if item.default is item.empty and item.kind < 2]
    return make(*(text.encode() if "bytes" in str(item.annotation) else text for item in needed))


def _named(kind: type[Exception]) -> tuple[str, Callable[[], Exception]]:
    return kind.__name__, lambda: _make(kind)


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL] {API_KEY}")
    error.reason = reason
    return error


# Made anew for each test: an exception keeps the frames that it passed.
_EXCEPTIONS: Final[dict[str, Callable[[], Exception]]] = {
    **dict(map(_named, _aiohttp_exceptions())),
    "OSError with the key": lambda: OSError(5, f"broken {API_KEY}"),
    "OSError without a number": lambda: OSError(API_KEY),
    "reset without a word": ConnectionResetError,
    "reset, passed on by aiohttp": lambda: _caused(aiohttp.ClientOSError(), ConnectionResetError()),
    "TLS, passed on by aiohttp": lambda: _caused(
        aiohttp.ClientOSError(1, "[SSL]"), _tls_error("APPLICATION_DATA_AFTER_CLOSE_NOTIFY")
    ),
    "TLS without a reason": lambda: ssl.SSLError(1, API_KEY),
    "ConnectionResetError": lambda: ConnectionResetError(104, "Connection reset by peer"),
    "ConnectionRefusedError": lambda: ConnectionRefusedError(111, "Connection refused"),
    "BrokenPipeError": lambda: BrokenPipeError(32, "Broken pipe"),
    "ConnectionAbortedError": lambda: ConnectionAbortedError(103, "aborted"),
    "PermissionError": lambda: PermissionError(13, "Permission denied"),
    "too many open files": lambda: OSError(24, "Too many open files"),
    "TimeoutError with the key": lambda: TimeoutError(API_KEY),
    "TimeoutError": TimeoutError,
    "gaierror": lambda: socket.gaierror(-2, "Name or service not known"),
    "herror": lambda: socket.herror(1, "Host not found"),
    "SSLError": lambda: ssl.SSLError(1, f"[SSL] {API_KEY}"),
    "SSLZeroReturnError": lambda: ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"),
    "SSLEOFError": lambda: ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    "SSLCertVerificationError": lambda: ssl.SSLCertVerificationError(1, "verify failed"),
    "ValueError": lambda: ValueError(API_KEY),
    "UnicodeError": lambda: UnicodeError(API_KEY),
}
_TIME_OUTS: Final = [name for name, make in _EXCEPTIONS.items() if isinstance(make(), TimeoutError)]


class _Answer:
    """The good beginning of an answer; reading its body raises."""

    status = 200
    reason = "OK"
    headers = _HEADERS
    closed = False
    content_length = None

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.content = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def release(self) -> None: ...

    def close(self) -> None: ...

    def is_eof(self) -> bool:
        return False

    def iter_any(self) -> _Answer:
        return self

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> bytes:
        raise self.error

    async def readany(self) -> bytes:
        raise self.error


@attrs.frozen
class Session:
    """What stands in for aiohttp: every request raises the error, or its body does."""

    monkeypatch: pytest.MonkeyPatch

    def raises(self, error: Exception, when: str = "before the answer") -> None:
        async def request(*_: object, **__: Any) -> _Answer:  # noqa: ANN401 - aiohttp's
            if when == "before the answer":
                raise error
            return _Answer(error)

        self.monkeypatch.setattr(aiohttp.ClientSession, "_request", request)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(monkeypatch)


def client_at(url: str = "https://api.example.com", **settings: Any) -> RestreamClient:  # noqa: ANN401 - of a client
    return client_of(url, **settings)


async def _caught(client: RestreamClient, call: str) -> RestreamError:
    # No secret may be among the locals of this frame: it is part of the traceback.
    with pytest.raises(RestreamError) as caught:
        await CALLS[call](client)
    return caught.value


def _everything_about(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    return "".join((*told.format(), str(error), repr(error), repr(error.__dict__)))


def test_the_tree_of_aiohttp_is_walked_to_its_leaves() -> None:
    names = {kind.__name__ for kind in _aiohttp_exceptions()}

    assert len(names) >= 40
    assert {
        "ClientConnectorCertificateError",
        "NonHttpUrlRedirectClientError",
        "SocketTimeoutError",
        "UploadAbortedError",
        "LineTooLong",
    } <= names


@pytest.mark.parametrize("when", ["before the answer", "in the body"])
@pytest.mark.parametrize("name", _EXCEPTIONS)
async def test_it_arrives_as_one_of_ours_without_a_trace_of_itself(
    name: str, when: str, session: Session
) -> None:
    session.raises(_EXCEPTIONS[name](), when)
    shown: list[str] = []
    async with client_at() as client:
        for call in CALLS:
            ours = await _caught(client, call)
            assert (ours.__cause__, ours.__context__) == (None, None)
            shown.append(_everything_about(ours))

    text = "".join(shown)
    assert "/aiohttp/" not in text
    assert "aiohttp." not in text
    assert "Authorization" not in text
    assert not [secret for secret in SECRETS if secret in text]


async def test_an_exception_that_its_caller_handles_keeps_its_frames(session: Session) -> None:
    session.raises(aiohttp.ClientConnectionError())
    frames = traceback.StackSummary()
    async with client_at(retry=RetryPolicy(attempts=1)) as client:
        try:
            int("no number")
        except ValueError as error:
            await _caught(client, "create")
            frames = traceback.extract_tb(error.__traceback__)

    assert len(frames) == 1


@pytest.mark.parametrize("name", _TIME_OUTS)
async def test_every_kind_of_time_out_is_an_attempt_time_out(name: str, session: Session) -> None:
    session.raises(_EXCEPTIONS[name]())
    async with client_at(retry=RetryPolicy(attempts=1)) as client:
        ours = await _caught(client, "create")

    assert type(ours) is AttemptTimeoutError
    assert isinstance(ours, TimeoutError)
    # The request's body was never asked for: nothing has left.
    assert (ours.sent, ours.attempts) == (False, 1)
    assert "no connection within" in str(ours)


@pytest.mark.parametrize("closed", [True, False])
async def test_a_body_that_breaks_off_after_a_success_is_an_answer_that_cannot_be_read(
    session: Session, monkeypatch: pytest.MonkeyPatch, *, closed: bool
) -> None:
    monkeypatch.setattr(_Answer, "closed", closed)
    session.raises(aiohttp.ClientPayloadError(API_KEY), "in the body")
    async with client_at(retry=RetryPolicy(attempts=1), in_doubt="resend") as client:
        ours = await _caught(client, "create")

    assert type(ours) is MalformedResponseError
    assert "the connection was lost in the middle of the answer" in str(ours)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ClientConnectorSSLError", "TLS connection to api.example.com port 443 failed"),
        ("ClientConnectorDNSError", "name api.example.com could not be resolved"),
        ("ClientConnectorError", "no connection to api.example.com port 443 (Connection refused)"),
        ("ClientProxyConnectionError", "to the proxy, api.example.com port 443 (Connection ref"),
        ("ServerDisconnectedError", "closed the connection without an answer"),
        ("ClientHttpProxyError", "the proxy could not connect to the service (500)"),
        ("InvalidURL", "URL cannot be used"),
        ("ConnectionResetError", "(Connection reset by peer)"),
        ("ClientConnectionError", "the connection was lost (no reason was given)"),
        ("OSError without a number", "the connection was lost (no reason was given)"),
        ("reset without a word", "the connection was lost (it was closed)"),
        ("reset, passed on by aiohttp", "the connection was lost (it was closed)"),
        ("TLS, passed on by aiohttp", "lost (application data after close notify)"),
        ("TLS without a reason", "the connection was lost (no reason was given)"),
        ("OSError with the key", "(Input/output error)"),
        ("ValueError", "credentials from .netrc"),
    ],
)
async def test_it_says_in_words_what_happened(name: str, words: str, session: Session) -> None:
    session.raises(_EXCEPTIONS[name]())
    async with client_at(retry=RetryPolicy(attempts=1)) as client:
        ours = await _caught(client, "create")

    assert type(ours) is TransportError
    assert words in str(ours)
    assert ours.sent is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LineTooLong", "its status line or one of its header fields is too long"),
        ("ContentEncodingError", "it is compressed, which was not asked for, and cannot be dec"),
        ("ClientResponseError", "it is not valid HTTP"),
        ("BadStatusLine", "it is not valid HTTP"),
    ],
)
async def test_what_is_no_answer_in_http_is_an_answer_that_cannot_be_read(
    name: str, words: str, session: Session
) -> None:
    session.raises(_EXCEPTIONS[name]())
    async with client_at(retry=RetryPolicy(attempts=1)) as client:
        ours = await _caught(client, "create")

    assert type(ours) is MalformedResponseError
    assert f"the answer cannot be read ({words}" in str(ours)


@pytest.mark.parametrize(
    ("name", "words", "remedy"),
    [
        (
            "ClientConnectorCertificateError",
            "of api.example.com could not be verified",
            "trust the certificate authority of the service",
        ),
        (
            "ServerFingerprintMismatch",
            "of api.example.com is not the expected one",
            "if the service has a new one, pass its fingerprint as ssl=…",
        ),
    ],
)
@pytest.mark.parametrize("call", CALLS)
async def test_a_certificate_that_is_not_trusted_ends_a_call_at_once(
    call: str, name: str, words: str, remedy: str, session: Session
) -> None:
    session.raises(_EXCEPTIONS[name]())
    async with client_at() as client:
        ours = await _caught(client, call)

    assert type(ours) is CertificateError
    assert (ours.sent, ours.attempts) == (False, 1)
    assert words in str(ours)
    assert ours.note.startswith(remedy)


async def test_a_proxy_that_wants_a_login_says_so(session: Session) -> None:
    error = aiohttp.ClientHttpProxyError(_REQUEST, (), status=407, message=API_KEY)
    session.raises(error)
    async with client_at() as client:
        ours = await _caught(client, "create")

    assert type(ours) is ProxyError
    assert (ours.sent, ours.attempts) == (False, 1)
    assert str(ours).startswith("the proxy asks for a user name and password (407 Proxy Auth")


def session_with(request: Callable[..., None]) -> Mock:
    return Mock(
        spec=aiohttp.ClientSession, auth=None, closed=False, connector=None, request=request
    )


async def test_a_session_that_raises_at_once_is_no_different() -> None:
    def request(*_: object, **__: object) -> None:
        raise aiohttp.ClientConnectionError(API_KEY)

    double = session_with(request)
    async with client_at(session=double) as client:
        ours = await _caught(client, "list")

    assert "the connection was lost (no reason was given)" in str(ours)


async def test_a_session_that_is_closed_under_a_request_says_so() -> None:
    def request(*_: object, **__: object) -> None:
        double.closed = True
        raise RuntimeError("Session is closed")

    double = session_with(request)
    async with client_at(session=double, retry=RetryPolicy(attempts=1)) as client:
        ours = await _caught(client, "toggle")
        assert client.stats().in_flight == 0

    assert type(ours) is ClientClosedError
    assert "the client was closed during the request" in str(ours)


async def test_what_is_no_failure_of_the_exchange_passes_through(session: Session) -> None:
    session.raises(RuntimeError("a bug"))
    async with client_at() as client:
        with pytest.raises(RuntimeError, match="a bug"):
            await client.create(new_restream())
        assert client.stats().in_flight == 0
