"""The exceptions. A failed call says what was asked, what came back and how often it was tried.

No exception carries a secret, a header or an exception of the HTTP library: the texts are redacted
before, and errors have neither a `__cause__` nor a `__context__`.
"""

from typing import Any, TypeVar

import attrs

from restream_async._util.redaction import clean

_E = TypeVar("_E", bound="CallError")

# Characters of a text from outside that a message shows.
_LONGEST_QUOTE = 300


class RestreamError(Exception):
    """The base of every error that this library raises on purpose."""


class ConfigurationError(RestreamError):
    """A setting is missing or malformed; the message says which one and how to set it."""


class JournalError(RestreamError):
    """A journal cannot be used, or can no longer be written; the message says what to do."""


class InvalidRestreamError(RestreamError, ValueError):
    """A value cannot be sent to the service; `field` names it, `reason` says why.

    The message does not repeat the value: it may be a secret.

    Attributes:
        field: the first wrong field.
        reason: what is wrong with it.
        problems: all wrong fields, each with its reason.

    """

    def __init__(self, field: str, reason: str, *others: tuple[str, str]) -> None:
        """Name the field and the reason, for example `"title"` and `"must not be empty"`.

        `others` are further wrong fields, each with its reason.
        """
        super().__init__(field, reason, *others)
        self.field = field
        self.reason = reason
        self.problems = ((field, reason), *others)

    def __str__(self) -> str:
        """Return the fields and the reasons as one sentence."""
        return "; ".join(f"{field} {reason}" for field, reason in self.problems)


@attrs.frozen
class Call:
    """What was asked of the service, without secrets.

    Attributes:
        method: the HTTP method.
        route: the path, without a query.
        video_id: the live video, or None.
        restream_id: the restream, or None.

    """

    method: str
    route: str
    video_id: str | None = None
    restream_id: str | None = None

    def __str__(self) -> str:
        """Return for example `POST /api/v1/p1/restreams (video 'v1')`."""
        about = f" (video {self.video_id!r})" if self.video_id is not None else ""
        return f"{self.method} {self.route}{about}"


@attrs.define(slots=False, eq=False, repr=False)
class CallError(RestreamError):
    """The base of the errors of a call.

    Attributes:
        call: what was asked: the method, the route with its ids, and the video id.
        attempts: how many times the client tried to send the request.
        note: what the caller should know or do next; may be empty.

    """

    call: Call
    attempts: int = attrs.field(default=0, kw_only=True)
    note: str = attrs.field(default="", kw_only=True)

    def __str__(self) -> str:
        """Return what happened, what was asked, how often, and what to do next."""
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        note = f"; {self.note}" if self.note else ""
        return f"{self.summary}: {self.call}, {times}{note}"

    def __repr__(self) -> str:
        """Return the kind and the text."""
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all attributes when the error is pickled or copied."""
        return _rebuild, (type(self), self.__dict__.copy())

    @property
    def args(self) -> tuple[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """The text, for tools that show the `args` of errors."""
        # Not stored: attempts and note may change until the error is raised.
        return (str(self),)

    @property
    def summary(self) -> str:
        """What happened, without what was asked."""
        return self._summary()

    def _summary(self) -> str:
        return type(self).__name__


def _rebuild(kind: type[_E], state: dict[str, Any]) -> _E:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    return error


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class ApiError(CallError):
    """The service answered with an error.

    Attributes:
        status: the `statusCode` of an envelope with `success: false`, else the HTTP status.
        reason: the reason phrase of the status; may be empty.
        errors: the `errors` of the envelope, without secrets.
        messages: the `messages` of the envelope, without secrets.
        retry_after: seconds that the service asked to wait (`Retry-After`), or None.
        request_id: the id by which the operators of the service find the request in their logs
            (`X-Request-Id`, else `X-Varnish`), or None.
        excerpt: the beginning of a body that is no envelope, without secrets; may be empty.

    """

    status: int
    reason: str = ""
    errors: tuple[object, ...] = attrs.field(default=(), converter=tuple[object, ...])
    messages: tuple[object, ...] = attrs.field(default=(), converter=tuple[object, ...])
    retry_after: float | None = None
    request_id: str | None = None
    excerpt: str = ""

    def _summary(self) -> str:
        said = [str(item) for item in (*self.errors, *self.messages)]
        # Many services say "Unauthorized" of a 401, and no more.
        known = self.reason.casefold()
        said = [item for item in said if item.casefold().rstrip(".") != known]
        quoted = "; ".join(said) if said else self.excerpt
        parts = [f"{self.status} {self.reason}".rstrip()]
        if quoted:
            parts.append(f"({clean(quoted, _LONGEST_QUOTE)})")
        if self.retry_after is not None:
            parts.append(f"[retry after {self.retry_after:g} s]")
        if self.request_id is not None:
            parts.append(f"[request id {self.request_id}]")
        return " ".join(parts)


class BadRequestError(ApiError):
    """400: the service does not accept the values. Never retried."""


class UnauthorizedError(ApiError):
    """401: the API key is missing or wrong. Never retried."""


class ForbiddenError(ApiError):
    """403: the API key may not do this. Never retried."""


class NotFoundError(ApiError):
    """404: the project, the video or the restream does not exist. Never retried."""


class TooManyRequestsError(ApiError):
    """429: too many requests in too short a time. Nothing was done; raised after the retries."""


class InternalServerError(ApiError):
    """500: the service failed; it may or may not have done the work."""


class BackendFetchFailedError(ApiError):
    """503: the cache in front of the service got no answer; the work may or may not be done.

    Varnish shows this page for a backend that it could not reach, and the same page for one that
    did the work and answered too late.
    """


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class TransportError(CallError):
    """No complete response came: there was no connection, or it was lost.

    Attributes:
        detail: what went wrong, in the words of the operating system or of HTTP.
        sent: whether the request may have reached the service.

    """

    detail: str
    sent: bool

    def _summary(self) -> str:
        return clean(self.detail, _LONGEST_QUOTE)


class AttemptTimeoutError(TransportError, TimeoutError):  # pyright: ignore[reportIncompatibleVariableOverride] - `args`
    """An attempt took longer than its timeout, or the call longer than its deadline."""


class ClientClosedError(TransportError, RuntimeError):  # pyright: ignore[reportIncompatibleVariableOverride] - as above
    """The client accepts no calls, or none from this event loop; the message says why.

    The client, or the session that it was given, is closed; the client is draining; or it belongs
    to another event loop. Also a `RuntimeError`: the program made the mistake, not the service.
    """


class NotSentError(TransportError):
    """The request was not sent, because its run or its client was stopped before."""


class CertificateError(TransportError):
    """The certificate of the service could not be verified. Never retried: ends a bulk run."""


class ProxyError(TransportError):
    """The proxy wants a login, or refuses to connect. Never retried: ends a bulk run."""


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class MalformedResponseError(CallError):
    """A response came that cannot be read: a success without its result, or no valid HTTP.

    Attributes:
        problem: where and why it cannot be read, such as `result.id: …`.
        request_id: as in `ApiError`.

    """

    problem: str
    request_id: str | None = None

    def _summary(self) -> str:
        what = f"the answer cannot be read ({clean(self.problem, _LONGEST_QUOTE)})"
        return f"{what} [request id {self.request_id}]" if self.request_id is not None else what


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class OutcomeUnknownError(CallError):
    """An attempt may have taken effect, and checking whether it did failed as well.

    Attributes:
        doubt: the error of the attempt that left the doubt.

    """

    doubt: CallError

    def _summary(self) -> str:
        return f"it is unknown whether it took effect, after: {self.doubt.summary}"


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class OutageError(CallError):
    """The service is out, and did not recover in time.

    A bulk run waits for the service for as long as the client's `patience`, a single call until its
    own deadline; for a service that was never reached, both wait for at most 30 seconds. A request
    that may have taken effect before raises `OutcomeUnknownError` instead.

    Attributes:
        reached: whether this client ever got an answer from the service; if not, its address is
            probably wrong.
        last: the error of the latest attempt, or None.

    """

    reached: bool = True
    last: CallError | None = None

    def _summary(self) -> str:
        what = "the service is out, and did not recover"
        if not self.reached:
            what = "the service was never reached"
        return f"{what} (last: {self.last.summary})" if self.last is not None else what
