"""What an answer means: the value, or refused, not done, in doubt. Pure.

The whole library rests on the third: a 503 of the cache, a 500, a read time-out and a lost
connection all come both when nothing happened and when everything happened, and the POST has no
idempotency key.
"""

import enum
import html
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Self, TypeAlias, TypeVar

import attrs

from restream_async._http import serialization
from restream_async._http.messages import (
    NoResponse,
    Request,
    Response,
    is_from_cache,
    request_id,
    retry_after,
)
from restream_async._load.adaptive_limit import Signal
from restream_async._util.redaction import (
    clean,
    may_hold_foreign_secrets,
    one_line,
    redact,
    redact_values,
)
from restream_async.errors import (
    ApiError,
    AttemptTimeoutError,
    BackendFetchFailedError,
    BadRequestError,
    CallError,
    CertificateError,
    ClientClosedError,
    ForbiddenError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    NotSentError,
    ProxyError,
    TooManyRequestsError,
    TransportError,
    UnauthorizedError,
)

_T = TypeVar("_T")
_Envelope: TypeAlias = dict[str, object] | None

_ERRORS: Final[dict[int, type[ApiError]]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    429: TooManyRequestsError,
    500: InternalServerError,
    503: BackendFetchFailedError,
}
_NOTES: Final[dict[int, str]] = {
    401: "check api_key and auth_scheme",
    403: "check that the API key is allowed to do this in the project",
    404: "check base_url, project_id and the ids in the route",
}
_NO_RESTREAM: Final = (
    "no restream {!r} was found: list the restreams of its video to see their ids, and check "
    "base_url and project_id"
)
_PROXY_LOGIN: Final = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
_PROXY_LOGIN_NOTE: Final = (
    "put the right ones into the proxy URL, as in http://user:password@proxy.example.com:3128"
)
_PROXY_NOTE: Final = "check that the proxy allows the host and the port of the service"
_REQUEST_TIMEOUT: Final = 408
# Too early (RFC 8470), and too many requests: what is refused in these words was not processed.
_NOT_PROCESSED: Final = frozenset({425, 429})
_NOT_IMPLEMENTED: Final = 501
# No capacity, and a gateway that waited in vain.
_SHEDDING: Final = frozenset({503, 504})
# Of what was not sent: where nothing will be different in a moment.
_FOR_GOOD: Final = (CertificateError, ClientClosedError, NotSentError, ProxyError)
# What aiohttp has decoded, or has refused to, when it hands an answer on.
_DECODED: Final = frozenset({"identity", "gzip", "deflate", "br", "zstd"})
_WITHHELD: Final = "[withheld: it may hold stream keys]"
# Of a body that is no envelope: how much is looked at, and how much is shown.
_EXCERPT_READ: Final = 4096
_EXCERPT_SHOWN: Final = 160
# Bytes; an error beyond them is no message, and going through all of it would hold up the loop.
_LARGEST_TOLD: Final = 2**16
_HIDDEN: Final = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL
)
_TAG: Final = re.compile(r"<[^>]*(?:>|$)")
_NOTHING: Final = re.compile("")


class Classification(enum.Enum):
    """What a failed attempt says about the effect."""

    REFUSED = "refused"
    """Final: the service does not want it."""
    NOT_DONE = "not done"
    """Nothing happened: it can be sent again."""
    IN_DOUBT = "in doubt"
    """It may have happened: look before sending again."""


@attrs.frozen
class Failure:
    """A failed attempt: what it means and how to tell it."""

    classification: Classification
    error: CallError
    cached: bool = False
    """Whether a cache answered in place of the service."""
    overtaken: bool = False
    """Whether another request succeeded while this one tried to connect."""

    @property
    def final(self) -> bool:
        """Whether sending again can't help."""
        return self.classification is Classification.REFUSED or isinstance(self.error, _FOR_GOOD)

    @property
    def connected(self) -> bool:
        """Whether the service may have noticed the attempt."""
        error = self.error
        return not isinstance(error, TransportError) or error.sent

    @property
    def answered(self) -> bool:
        """Whether anything came back."""
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
            return Signal.SHED if error.status in _SHEDDING else Signal.GOOD
        if isinstance(error, AttemptTimeoutError):
            return Signal.SHED
        return Signal.GOOD if isinstance(error, MalformedResponseError) else None

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asked to wait."""
        return self.error.retry_after if isinstance(self.error, ApiError) else None


def classify(
    request: Request,
    answer: Response | NoResponse,
    read: Callable[[object], _T],
    *,
    secrets: tuple[str, ...],
    wall_clock: Callable[[], float],
) -> _T | Failure:
    """Return the value that `read` finds in the answer's `result`, or why there is none.

    Args:
        request: what was asked.
        answer: what came back.
        read: makes the value from the envelope's `result`; raises `UnreadableError`.
        secrets: what no text may repeat, besides what the request itself knows.
        wall_clock: for a `Retry-After` that names a date.

    """
    if isinstance(answer, NoResponse):
        return _unanswered(request, answer, secrets)
    try:
        envelope = (
            None if answer.defect else serialization.as_object(serialization.parse(answer.body))
        )
        problem = answer.defect
        if 200 <= answer.status < 300 and not problem:  # noqa: PLR2004 - HTTP's own classes
            if envelope is not None and envelope.get("success") is True:
                if request.method == "GET" and is_from_cache(answer.headers):
                    return _Telling.of(request, answer, secrets, wall_clock).cached()
                return read(envelope.get("result"))
            problem = "" if _denies(envelope) else "it is not the documented envelope"
    except serialization.UnreadableError as unreadable:
        envelope, problem = None, _encoded(answer.headers) or str(unreadable)
    return _Telling.of(request, answer, secrets, wall_clock).failure(envelope, problem)


def _unanswered(request: Request, answer: NoResponse, secrets: tuple[str, ...]) -> Failure:
    verdict = Classification.IN_DOUBT if answer.sent else Classification.NOT_DONE
    detail = redact(answer.detail, (*secrets, *request.secrets))
    if answer.untrusted:
        error = CertificateError(request.call, detail=detail, sent=False, note=answer.remedy)
        return Failure(Classification.REFUSED, error)
    if answer.proxy_status:
        return _refused_by_proxy(request, answer.proxy_status)
    if answer.unreadable:
        return Failure(verdict, MalformedResponseError(request.call, problem=detail))
    kind = TransportError
    if answer.timed_out:
        kind = AttemptTimeoutError
    elif answer.closed:
        kind = ClientClosedError
    told = kind(request.call, detail=detail, sent=answer.sent, note=answer.remedy)
    return Failure(verdict, told)


def _refused_by_proxy(request: Request, status: int) -> Failure:
    if status == _PROXY_LOGIN:
        detail, note = "the proxy asks for a user name and password", _PROXY_LOGIN_NOTE
    else:
        detail, note = "the proxy refuses to connect to the service", _PROXY_NOTE
    detail = f"{detail} ({f'{status} {_phrase(status)}'.rstrip()})"
    return Failure(
        Classification.REFUSED, ProxyError(request.call, detail=detail, sent=False, note=note)
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _encoded(headers: Mapping[str, str]) -> str:
    """Say if an answer is compressed in a way that aiohttp does not know."""
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if not encoding or encoding in _DECODED:
        return ""
    return f"it is compressed (Content-Encoding: {encoding}), which was not asked for"


def _denies(envelope: _Envelope) -> bool:
    return envelope is not None and envelope.get("success") is False


@attrs.frozen
class _Telling:
    """How a reply that brought no value is told."""

    request: Request
    reply: Response
    secrets: tuple[str, ...]
    wall_clock: Callable[[], float]

    @classmethod
    def of(
        cls,
        request: Request,
        reply: Response,
        secrets: tuple[str, ...],
        wall_clock: Callable[[], float],
    ) -> Self:
        """Return one that hides these secrets and those of the request."""
        return cls(request, reply, (*secrets, *request.secrets), wall_clock)

    def failure(self, envelope: _Envelope, problem: str) -> Failure:
        """Return what it means and how to say it."""
        status, denied = self.reply.status, _denies(envelope)
        if status == _PROXY_LOGIN:
            return _refused_by_proxy(self.request, status)
        if envelope is not None and denied:
            inside = envelope.get("statusCode")
            # A code that contradicts `success: false` settles nothing: HTTP's own stands.
            if isinstance(inside, int) and 400 <= inside < 600:  # noqa: PLR2004 - HTTP's own classes
                status = inside
        if 200 <= status < 300 and not denied:  # noqa: PLR2004 - HTTP's own classes
            return Failure(Classification.IN_DOUBT, self._unread(problem))
        verdict = classify_status(status, sent=self.request.sent)
        return Failure(verdict, self._api_error(status, envelope))

    def cached(self) -> Failure:
        """Return that a cache answered in place of the service."""
        error = self._malformed("a cache answered, from what it had stored")
        return Failure(Classification.IN_DOUBT, error, cached=True)

    def _unread(self, problem: str) -> MalformedResponseError:
        excerpt = self._excerpt()
        told = not excerpt or problem.startswith(("result", "it is compressed"))
        shown = problem if told else f"{problem}: {excerpt}"
        return self._malformed(redact(shown, self.secrets))

    def _malformed(self, problem: str) -> MalformedResponseError:
        request_id = self._request_id()
        return MalformedResponseError(self.request.call, problem=problem, request_id=request_id)

    def _api_error(self, status: int, envelope: _Envelope) -> ApiError:
        told = len(self.reply.body) <= _LARGEST_TOLD
        lists = envelope if told and envelope is not None else {}
        errors = self._said(lists.get("errors"))
        messages = self._said(lists.get("messages"))
        reason = self._reason(status)
        return _ERRORS.get(status, ApiError)(
            self.request.call,
            status=status,
            reason=reason,
            errors=errors,
            messages=messages,
            retry_after=retry_after(self.reply.headers, self.wall_clock),
            request_id=self._request_id(),
            excerpt="" if errors or messages else self._excerpt(_repeating(status, reason)),
            note=self._note(status),
        )

    def _note(self, status: int) -> str:
        restream_id = self.request.restream_id
        if status == HTTPStatus.NOT_FOUND and restream_id is not None:
            return _NO_RESTREAM.format(restream_id)
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own classes
            return "redirects are not followed: check base_url"
        return _NOTES.get(status, "")

    def _request_id(self) -> str | None:
        # It may be anything: it was perhaps not the service that made it up.
        said = one_line(request_id(self.reply.headers))
        # What is left of one that repeats a secret finds nothing in any log.
        if may_hold_foreign_secrets(said) or redact(said, self.secrets) != said:
            return None
        return clean(said, _EXCERPT_SHOWN) or None

    def _reason(self, status: int) -> str:
        if status == self.reply.status and self.reply.reason:
            return clean(redact(self.reply.reason, self.secrets), _EXCERPT_SHOWN)
        return _phrase(status)

    def _said(self, value: object) -> tuple[object, ...]:
        array = serialization.as_array(value)
        items = array if array is not None else [value] if value else []
        told = redact_values(items, self.secrets) if items else []
        return tuple(_WITHHELD if _is_telltale(item) else item for item in told)

    def _excerpt(self, known: re.Pattern[str] = _NOTHING) -> str:
        """Return the beginning of the body; of a page, without the pieces that are known."""
        head = self.reply.body[:_EXCERPT_READ]
        # In the right encoding, and without what a cut leaves of a character: else a secret would
        # not be found.
        text = head.decode(json.detect_encoding(head), "ignore").replace("\0", "")
        if may_hold_foreign_secrets(text):
            return "[body withheld: it may hold stream keys]"
        if text.lstrip().startswith("<"):
            pieces = map(one_line, map(html.unescape, _TAG.split(_HIDDEN.sub(" ", text))))
            text = " ".join(piece for piece in pieces if not known.fullmatch(piece))
        # Cut only after the secrets are out: half a secret is one as well.
        return clean(redact(one_line(text), self.secrets), _EXCERPT_SHOWN)


def classify_status(status: int, *, sent: bool = True) -> Classification:
    """Return what an answer with a status that is no success means.

    Args:
        status: of HTTP, or of the envelope.
        sent: whether the request was sent; a service that waited for it in vain says 408, and so
            do some that gave up the work on it.

    """
    if status in _NOT_PROCESSED:
        return Classification.NOT_DONE
    if status == _REQUEST_TIMEOUT:
        return Classification.IN_DOUBT if sent else Classification.NOT_DONE
    if 300 <= status < 500 or status == _NOT_IMPLEMENTED:  # noqa: PLR2004 - HTTP's own classes
        return Classification.REFUSED
    return Classification.IN_DOUBT


def _repeating(status: int, reason: str) -> re.Pattern[str]:
    """Return what finds the pieces of a page of an error that only name the error."""
    return re.compile(
        rf"(error[:\s]*)?({status}[-:\s]*)?({re.escape(reason)})?[.\s]*", re.IGNORECASE
    )


def _is_telltale(item: object) -> bool:
    return isinstance(item, str) and may_hold_foreign_secrets(item)
