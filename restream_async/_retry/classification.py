"""Private: what a response means. It is a value, or a failure: refused, not done or in doubt.

The library rests on the third kind. A 503 of the cache, a 500, a read timeout and a lost connection
all come both when the service did nothing and when it did everything, and the POST has no
idempotency key.
"""

import enum
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, TypeVar

import attrs

from restream_async._http import json_values
from restream_async._http.messages import NoResponse, Request, Response
from restream_async._http.response_headers import is_from_cache
from restream_async._load.load_signal import Signal
from restream_async._retry.response_errors import ErrorTexts, proxy_error
from restream_async._util.redaction import redact
from restream_async.errors import (
    ApiError,
    AttemptTimeoutError,
    CallError,
    CertificateError,
    ClientClosedError,
    MalformedResponseError,
    NotSentError,
    ProxyError,
    TooManyRequestsError,
    TransportError,
)

_T = TypeVar("_T")

_SUCCESS: Final = range(200, 300)
_ERROR: Final = range(400, 600)
# Redirects are not followed, so they are refusals, as client errors are.
_REDIRECT_OR_CLIENT_ERROR: Final = range(300, 500)
# 425 (too early, RFC 8470) and 429 say that the request was not processed.
_NOT_PROCESSED: Final = frozenset({425, HTTPStatus.TOO_MANY_REQUESTS})
# An overloaded service, or a gateway that gave up waiting for it.
_OVERLOADED: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
# The request was not sent, and sending it again cannot help.
_PERMANENT: Final = (CertificateError, ClientClosedError, NotSentError, ProxyError)
# The encodings that aiohttp has decoded, or failed to, before it returns a response.
_DECODED: Final = frozenset({"identity", "gzip", "deflate", "br", "zstd"})


class Classification(enum.Enum):
    """What a failed attempt says about its effect."""

    REFUSED = "refused"
    """Final: the service does not accept the request."""
    NOT_DONE = "not done"
    """Nothing happened: the request can be sent again."""
    IN_DOUBT = "in doubt"
    """It may have taken effect: check before sending again."""


@attrs.frozen
class Failure:
    """A failed attempt: what it says about its effect, and the error to raise.

    Attributes:
        classification: what it says about its effect.
        error: what happened.
        cached: whether a cache answered in place of the service.
        overtaken: whether another request succeeded while this one tried to connect.

    """

    classification: Classification
    error: CallError
    cached: bool = False
    overtaken: bool = False

    @property
    def final(self) -> bool:
        """Whether sending again cannot help."""
        return self.classification is Classification.REFUSED or isinstance(self.error, _PERMANENT)

    @property
    def connected(self) -> bool:
        """Whether the attempt may have reached the service."""
        error = self.error
        return not isinstance(error, TransportError) or error.sent

    @property
    def answered(self) -> bool:
        """Whether there was a response."""
        return not isinstance(self.error, TransportError)

    @property
    def limited(self) -> bool:
        """Whether the service refused it because of a rate limit."""
        return isinstance(self.error, TooManyRequestsError)

    @property
    def signal(self) -> Signal | None:
        """What it says about the load of the service, if anything."""
        if self.limited:
            return Signal.LIMITED
        error = self.error
        if isinstance(error, ApiError):
            return Signal.SHED if error.status in _OVERLOADED else Signal.GOOD
        if isinstance(error, AttemptTimeoutError):
            return Signal.SHED
        return Signal.GOOD if isinstance(error, MalformedResponseError) else None

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asked to wait, or None."""
        return self.error.retry_after if isinstance(self.error, ApiError) else None


def value_or_raise(result: _T | Failure) -> _T:
    """Return the value, or raise the failure's error.

    Raises:
        RestreamError: the result is a failure.

    """
    if isinstance(result, Failure):
        try:
            raise result.error
        finally:
            # Otherwise the error and this frame hold each other until garbage collection.
            del result
    return result


def classify(
    request: Request,
    response: Response | NoResponse,
    read: Callable[[object], _T],
    *,
    secrets: tuple[str, ...],
    wall_clock: Callable[[], float],
) -> _T | Failure:
    """Return the value that `read` finds in the response's `result`, or why there is none.

    Args:
        request: what was sent.
        response: what came back.
        read: makes the value from the envelope's `result`; raises `UnreadableError`.
        secrets: what no text may repeat, besides the secrets of the request.
        wall_clock: seconds since 1970, for a `Retry-After` with a date.

    """
    if isinstance(response, NoResponse):
        return _without_response(request, response, secrets)
    envelope, problem = None, response.defect
    try:
        if not problem:
            envelope = json_values.as_object(json_values.parse(response.body))
            if response.status in _SUCCESS:
                if envelope is not None and envelope.get("success") is True:
                    if request.method == "GET" and is_from_cache(response.headers):
                        error = ErrorTexts.of(request, response, secrets, wall_clock).cached()
                        return Failure(Classification.IN_DOUBT, error, cached=True)
                    return read(envelope.get("result"))
                problem = "" if _denies(envelope) else "it is not the documented envelope"
    except json_values.UnreadableError as unreadable:
        envelope, problem = None, _unknown_encoding(response.headers) or str(unreadable)
    texts = ErrorTexts.of(request, response, secrets, wall_clock)
    return _failure(request, response.status, envelope, problem, texts)


def classify_status(status: int, *, sent: bool = True) -> Classification:
    """Return what a status that is no success means.

    Args:
        status: the status of HTTP, or of the envelope.
        sent: whether the request was sent. A service answers 408 when it did not get the request
            in time, and some services also when they gave up working on it.

    """
    if status in _NOT_PROCESSED:
        return Classification.NOT_DONE
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return Classification.IN_DOUBT if sent else Classification.NOT_DONE
    if status in _REDIRECT_OR_CLIENT_ERROR or status == HTTPStatus.NOT_IMPLEMENTED:
        return Classification.REFUSED
    return Classification.IN_DOUBT


def _failure(
    request: Request,
    status: int,
    envelope: dict[str, object] | None,
    problem: str,
    texts: ErrorTexts,
) -> Failure:
    """Return the failure of a response without a value; `problem` says why it is unreadable."""
    denied = _denies(envelope)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Failure(Classification.REFUSED, proxy_error(request.call, status))
    if envelope is not None and denied:
        inside = envelope.get("statusCode")
        # A code that contradicts `success: false` is ignored.
        if isinstance(inside, int) and inside in _ERROR:
            status = inside
    if status in _SUCCESS and not denied:
        return Failure(Classification.IN_DOUBT, texts.unreadable(problem))
    error = texts.api_error(status, envelope)
    return Failure(classify_status(status, sent=request.sent), error)


def _without_response(request: Request, response: NoResponse, secrets: tuple[str, ...]) -> Failure:
    call, sent, note = request.call, response.sent, response.remedy
    classification = Classification.IN_DOUBT if sent else Classification.NOT_DONE
    detail = redact(response.detail, (*secrets, *request.secrets))
    if response.untrusted:
        error = CertificateError(call, detail=detail, sent=False, note=note)
        return Failure(Classification.REFUSED, error)
    if response.proxy_status:
        return Failure(Classification.REFUSED, proxy_error(call, response.proxy_status))
    if response.unreadable:
        return Failure(classification, MalformedResponseError(call, problem=detail))
    kind = TransportError
    if response.timed_out:
        kind = AttemptTimeoutError
    elif response.closed:
        kind = ClientClosedError
    return Failure(classification, kind(call, detail=detail, sent=sent, note=note))


def _denies(envelope: dict[str, object] | None) -> bool:
    return envelope is not None and envelope.get("success") is False


def _unknown_encoding(headers: Mapping[str, str]) -> str:
    """Return that the body is compressed in a way that aiohttp does not know, or nothing."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if not encoding or encoding in _DECODED:
        return ""
    return f"it is compressed (Content-Encoding: {encoding}), which was not asked for"
