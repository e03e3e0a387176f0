"""The exception tree. Each error says what was asked, what came back and how often it was tried.

Nothing in here carries a secret, a header or an exception of the HTTP library: the texts arrive
redacted, and errors are raised outside of any handler, so that they chain to nothing.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from restream_async._util.redaction import clean

_E = TypeVar("_E", bound="CallError")

# The longest part of a message that somebody else wrote, in characters.
_LONGEST_QUOTE = 300


class RestreamError(Exception):
    """The base of every error that this library raises on purpose."""


class ConfigurationError(RestreamError):
    """A setting is missing or malformed; the message says which one and how to set it."""


class JournalError(RestreamError):
    """A journal cannot be used, or not any more; the message says why and what to do."""


class InvalidRestreamError(RestreamError, ValueError):
    """A value cannot be sent to the service; `field` names it, `reason` says why.

    The value itself is not repeated: it may be a secret.

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
    """What was asked of the service, as far as anyone may see it."""

    method: str
    route: str
    video_id: str | None = None
    restream_id: str | None = None

    def __str__(self) -> str:
        """Return for example `POST /api/v1/p1/restreams (video 'v1')`."""
        about = f" (video {self.video_id!r})" if self.video_id is not None else ""
        return f"{self.method} {self.route}{about}"


class CallError(RestreamError):
    """What the failures of a call have in common.

    Attributes:
        call: the method, the route with its ids, and the video id.
        attempts: how many times the request was sent, or tried to be sent.
        note: what the caller should know or do next; may be empty.

    """

    def __init__(self, call: Call, *, attempts: int = 0, note: str = "") -> None:
        """Describe a failed call."""
        super().__init__()
        self.call = call
        self.attempts = attempts
        self.note = note

    def __str__(self) -> str:
        """Return what happened, what was asked, how often, and what to do next."""
        times = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        note = f"; {self.note}" if self.note else ""
        return f"{self._happened()}: {self.call}, {times}{note}"

    def __repr__(self) -> str:
        """Return the kind and the text."""
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all that is known when the error travels between processes."""
        return _rebuild, (type(self), self.__dict__.copy())

    @property
    def args(self) -> tuple[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """The text, for whatever reports errors by their `args`."""
        # Made when it is asked for: attempts and note may change until the error is raised.
        return (str(self),)

    @property
    def summary(self) -> str:
        """What happened, without what was asked."""
        return self._happened()

    def _happened(self) -> str:
        return type(self).__name__


def _rebuild(kind: type[_E], state: dict[str, Any]) -> _E:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    return error


class ApiError(CallError):
    """The service answered, and the answer is an error.

    Attributes:
        status: the status to judge by: the envelope's `statusCode` where it says
            `success: false`, else that of HTTP.
        errors: the service's own `errors`, without secrets.
        messages: the service's own `messages`, without secrets.
        retry_after: seconds that the service asked to wait (`Retry-After`), or None.
        request_id: what the service or its cache calls this request (`X-Request-Id`, else
            `X-Varnish`), or None. The service's operators find the request by it in their logs.
        excerpt: the beginning of a body that is no envelope, without secrets; may be empty.

    """

    def __init__(  # noqa: PLR0913 - one keyword for each fact
        self,
        call: Call,
        *,
        status: int,
        reason: str = "",
        errors: Sequence[object] = (),
        messages: Sequence[object] = (),
        retry_after: float | None = None,
        request_id: str | None = None,
        excerpt: str = "",
        attempts: int = 0,
        note: str = "",
    ) -> None:
        """Describe an answer that is an error."""
        super().__init__(call, attempts=attempts, note=note)
        self.status = status
        self.reason = reason
        self.errors = tuple(errors)
        self.messages = tuple(messages)
        self.retry_after = retry_after
        self.request_id = request_id
        self.excerpt = excerpt

    def _happened(self) -> str:
        said = [str(item) for item in (*self.errors, *self.messages)]
        # Many a service says "Unauthorized" of a 401, and no more.
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

    This is Varnish's page for a backend that could not be reached, and the same page for one
    that did the work and answered too late.
    """


class TransportError(CallError):
    """No complete answer came: no connection, or one that was lost.

    Attributes:
        detail: what went wrong, in the words of the operating system or of HTTP.
        sent: whether the request may have reached the service.

    """

    def __init__(
        self, call: Call, *, detail: str, sent: bool, attempts: int = 0, note: str = ""
    ) -> None:
        """Describe an exchange that brought no answer."""
        super().__init__(call, attempts=attempts, note=note)
        self.detail = detail
        self.sent = sent

    def _happened(self) -> str:
        return clean(self.detail, _LONGEST_QUOTE)


class AttemptTimeoutError(TransportError, TimeoutError):  # pyright: ignore[reportIncompatibleVariableOverride] - `args`
    """The time allowed for an attempt, or for all of them, was over before an answer came."""


class ClientClosedError(TransportError, RuntimeError):  # pyright: ignore[reportIncompatibleVariableOverride] - as above
    """The client takes no calls, or none from here; the message says why.

    It is closed, or the session that it was given is; it is draining; or it belongs to another
    event loop. A `RuntimeError` too, as it is a mistake of the program, not of the service.
    """


class NotSentError(TransportError):
    """The request was not sent, because its run or its client was told to end before."""


class CertificateError(TransportError):
    """The certificate of the service could not be verified. Never retried: it ends a bulk run."""


class ProxyError(TransportError):
    """The proxy asks for a login, or refuses to connect to the service.

    Never retried: it ends a bulk run.
    """


class MalformedResponseError(CallError):
    """An answer came that cannot be read: a success without its result, or no valid HTTP.

    Attributes:
        problem: where and why it cannot be read, such as `result.id: …`.
        request_id: as in `ApiError`.

    """

    def __init__(
        self,
        call: Call,
        *,
        problem: str,
        request_id: str | None = None,
        attempts: int = 0,
        note: str = "",
    ) -> None:
        """Describe an answer that cannot be read."""
        super().__init__(call, attempts=attempts, note=note)
        self.problem = problem
        self.request_id = request_id

    def _happened(self) -> str:
        what = f"the answer cannot be read ({clean(self.problem, _LONGEST_QUOTE)})"
        return f"{what} [request id {self.request_id}]" if self.request_id is not None else what


class OutcomeUnknownError(CallError):
    """An attempt may have taken effect, and looking whether it did failed as well.

    Attributes:
        doubt: the error of the attempt that left the doubt.

    """

    def __init__(self, call: Call, *, doubt: CallError, attempts: int = 0, note: str = "") -> None:
        """Describe a creation of which nobody knows whether it happened."""
        super().__init__(call, attempts=attempts, note=note)
        self.doubt = doubt

    def _happened(self) -> str:
        return f"nobody knows whether it took effect, after: {self.doubt.summary}"


class OutageError(CallError):
    """Nothing succeeds at the service any more, and it did not come back in time.

    A bulk run waits for it for as long as the client's patience lasts, a single call until its
    own deadline; for a service that was never reached, both wait for 30 seconds at the most. What
    may have taken effect before is an `OutcomeUnknownError` instead.

    Attributes:
        reached: whether this client ever got an answer from the service; if not, its address is
            probably wrong.
        last: the error of the latest attempt, or None.

    """

    def __init__(
        self,
        call: Call,
        *,
        reached: bool = True,
        last: CallError | None = None,
        attempts: int = 0,
        note: str = "",
    ) -> None:
        """Describe a service that is gone."""
        super().__init__(call, attempts=attempts, note=note)
        self.reached = reached
        self.last = last

    def _happened(self) -> str:
        what = "nothing succeeds at the service, and it did not come back"
        if not self.reached:
            what = "the service was never reached"
        return f"{what} (last: {self.last.summary})" if self.last is not None else what
