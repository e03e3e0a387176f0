"""Private: the errors of a response without a value, with what the service said but no secret."""

import html
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Self

import attrs

from restream_async._http import json_values
from restream_async._http.messages import Request, Response
from restream_async._http.response_headers import request_id, retry_after
from restream_async._util.redaction import (
    clean,
    may_hold_foreign_secrets,
    one_line,
    redact,
    redact_values,
)
from restream_async.errors import (
    ApiError,
    BackendFetchFailedError,
    BadRequestError,
    Call,
    ForbiddenError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    ProxyError,
    TooManyRequestsError,
    UnauthorizedError,
)

_ERRORS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    429: TooManyRequestsError,
    500: InternalServerError,
    503: BackendFetchFailedError,
}
_NOTES: Final[Mapping[int, str]] = {
    401: "check api_key and auth_scheme",
    403: "check that the API key is allowed to do this in the project",
    404: "check base_url, project_id and the ids in the route",
} | dict.fromkeys(range(300, 400), "redirects are not followed: check base_url")
_NO_RESTREAM: Final = (
    "no restream {!r} was found: list the restreams of its video to see their ids, and check "
    "base_url and project_id"
)
_PROXY_LOGIN_NOTE: Final = (
    "put the right ones into the proxy URL, as in http://user:password@proxy.example.com:3128"
)
_PROXY_NOTE: Final = "check that the proxy allows the host and the port of the service"
_WITHHELD: Final = "[withheld: it may hold stream keys]"
_BODY_WITHHELD: Final = "[body withheld: it may hold stream keys]"
# Bytes of a body that is no envelope that are searched, and characters of it that are shown.
_EXCERPT_READ: Final = 4096
_EXCERPT_SHOWN: Final = 160
# Bytes. A larger envelope is not quoted: redacting all of it would block the event loop.
_LARGEST_QUOTED: Final = 2**16
_HIDDEN: Final = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL
)
_TAG: Final = re.compile(r"<[^>]*(?:>|$)")
_NOTHING: Final = re.compile("")


def proxy_error(call: Call, status: int) -> ProxyError:
    """Return the error of a proxy that refuses to connect to the service."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        detail, note = "the proxy asks for a user name and password", _PROXY_LOGIN_NOTE
    else:
        detail, note = "the proxy refuses to connect to the service", _PROXY_NOTE
    named = f"{status} {_phrase(status)}".rstrip()
    return ProxyError(call, detail=f"{detail} ({named})", sent=False, note=note)


@attrs.frozen
class ErrorTexts:
    """Makes the error of one response.

    Attributes:
        request: what was sent.
        response: what came back.
        secrets: what no text may repeat.
        wall_clock: seconds since 1970, for a `Retry-After` with a date.

    """

    request: Request
    response: Response
    secrets: tuple[str, ...]
    wall_clock: Callable[[], float]

    @classmethod
    def of(
        cls,
        request: Request,
        response: Response,
        secrets: tuple[str, ...],
        wall_clock: Callable[[], float],
    ) -> Self:
        """Hide these secrets and those of the request."""
        return cls(request, response, (*secrets, *request.secrets), wall_clock)

    def cached(self) -> MalformedResponseError:
        """Return the error of a response that a cache had stored."""
        return self._malformed("a cache answered, from what it had stored")

    def unreadable(self, problem: str) -> MalformedResponseError:
        """Return the error of a success that cannot be read."""
        excerpt = self._excerpt()
        # Where the problem names a part of the result, the rest is a restream with its key.
        if excerpt and not problem.startswith(("result", "it is compressed")):
            problem = f"{problem}: {excerpt}"
        return self._malformed(redact(problem, self.secrets))

    def api_error(self, status: int, envelope: Mapping[str, object] | None) -> ApiError:
        """Return the error for a status of HTTP or of the envelope."""
        quoted = envelope or {}
        if len(self.response.body) > _LARGEST_QUOTED:
            quoted = {}
        errors = self._quote(quoted.get("errors"))
        messages = self._quote(quoted.get("messages"))
        reason = self._reason(status)
        return _ERRORS.get(status, ApiError)(
            self.request.call,
            status=status,
            reason=reason,
            errors=errors,
            messages=messages,
            retry_after=retry_after(self.response.headers, self.wall_clock),
            request_id=self._request_id(),
            excerpt="" if errors or messages else self._excerpt(_repeating(status, reason)),
            note=self._note(status),
        )

    def _malformed(self, problem: str) -> MalformedResponseError:
        request_id = self._request_id()
        return MalformedResponseError(self.request.call, problem=problem, request_id=request_id)

    def _note(self, status: int) -> str:
        restream_id = self.request.restream_id
        if status == HTTPStatus.NOT_FOUND and restream_id is not None:
            return _NO_RESTREAM.format(restream_id)
        return _NOTES.get(status, "")

    def _request_id(self) -> str | None:
        found = one_line(request_id(self.response.headers))
        # The rest of an id that repeats a secret would be found in no log.
        if may_hold_foreign_secrets(found) or redact(found, self.secrets) != found:
            return None
        return clean(found, _EXCERPT_SHOWN) or None

    def _reason(self, status: int) -> str:
        if status == self.response.status and self.response.reason:
            return clean(redact(self.response.reason, self.secrets), _EXCERPT_SHOWN)
        return _phrase(status)

    def _quote(self, value: object) -> tuple[object, ...]:
        """Return `errors` or `messages` of an envelope as a sequence without secrets."""
        array = json_values.as_array(value)
        items = array if array is not None else [value] if value else []
        redacted = redact_values(items, self.secrets) if items else []
        return tuple(_WITHHELD if _may_hold_keys(item) else item for item in redacted)

    def _excerpt(self, known: re.Pattern[str] = _NOTHING) -> str:
        """Return the beginning of the body; of an HTML page, without the pieces that are known."""
        head = self.response.body[:_EXCERPT_READ]
        # A wrong encoding would hide a secret, and so would half a character at the end.
        text = head.decode(json.detect_encoding(head), "ignore").replace("\0", "")
        if may_hold_foreign_secrets(text):
            return _BODY_WITHHELD
        if text.lstrip().startswith("<"):
            pieces = map(one_line, map(html.unescape, _TAG.split(_HIDDEN.sub(" ", text))))
            text = " ".join(piece for piece in pieces if not known.fullmatch(piece))
        # Redacted before it is cut: half a secret is a secret too.
        return clean(redact(one_line(text), self.secrets), _EXCERPT_SHOWN)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _repeating(status: int, reason: str) -> re.Pattern[str]:
    """Return a pattern of the pieces of an error page that only repeat the status."""
    return re.compile(
        rf"(error[:\s]*)?({status}[-:\s]*)?({re.escape(reason)})?[.\s]*", re.IGNORECASE
    )


def _may_hold_keys(item: object) -> bool:
    return isinstance(item, str) and may_hold_foreign_secrets(item)
