"""Private: the spans. They hold no exception and no text that was not redacted."""

import contextvars
from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as TraceSpan

from restream_async._http.api import URL_TEMPLATES
from restream_async._telemetry import ClientTelemetry, RunSpan, Span
from restream_async._util.redaction import redact, url_secrets
from restream_async.errors import CallError, RestreamError
from restream_async.models import NewRestream, Origin
from restream_async.stats import Stats
from restream_async.telemetry._metrics import ClientMetrics

# Where a context has the run whose parts are traces of their own.
_RUN: Final = otel.create_key("restream-run")


class ClientSpans(ClientTelemetry):
    """The hooks of one client."""

    def __init__(self, tracer: Tracer, metrics: ClientMetrics, host: str, port: int) -> None:
        """Report a client of the service at this address."""
        self.tracer = tracer
        self.metrics = metrics
        self.of_attempts: dict[str, dict[str, str | int]] = {
            method: {
                "http.request.method": method,
                "url.template": template,
                "server.address": host,
                "server.port": port,
            }
            for method, template in URL_TEMPLATES.items()
        }
        self.names = {method: f"{method} {path}" for method, path in URL_TEMPLATES.items()}

    def observe(self, stats: Callable[[], Stats]) -> None:
        """Report the client's state from now on."""
        self.metrics.observe(stats)

    def close(self) -> None:
        """Report the client's state no longer."""
        self.metrics.close()

    def creation(self, new: NewRestream) -> Span:
        """Return the span of a creation."""
        return _Creation(self, new)

    def attempt(self, method: str, resends: int) -> Span:
        """Return the span of an attempt."""
        return _Attempt(self, method, resends)

    def check(self) -> Span:
        """Return the span of an existence check."""
        return _Check(self)

    def run(self, name: str) -> RunSpan:
        """Return the span of a run."""
        return _Run(self.tracer, f"restream.{name}")

    def video(self, new: NewRestream) -> Span:
        """Return the span of a run's work on a video."""
        return _Part(self, "restream.video", new)

    def retried(self, error: RestreamError) -> None:
        """Count a retry."""
        self.metrics.retry(type(error).__name__)


class _Span(Span):
    """A span that is the current one in its block."""

    __slots__ = ("_error", "_span", "_token")

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        span, context = self._begin()
        self._span = span
        self._token = otel.attach(set_span_in_context(span, context))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        otel.detach(self._token)
        if error is not None:
            self._error = error
        error_type = ""
        if self._error is not None:
            error_type = self._error_type(self._error)
            _note_failure(self._span, self._error, error_type)
            self._error = None
        self._end(error_type)
        self._span.end()

    def failed(self, error: BaseException) -> None:
        self._error = error

    def _begin(self) -> tuple[TraceSpan, Context | None]:
        """Return the new span, and the context in which it becomes the current one."""
        raise NotImplementedError

    def _error_type(self, error: BaseException) -> str:
        return type(error).__name__

    def _end(self, error_type: str) -> None:
        """Note how it ended; `error_type` is empty if it succeeded."""


class _Attempt(_Span):
    __slots__ = ("_client", "_method", "_resends", "_started", "_status")

    def __init__(self, client: ClientSpans, method: str, resends: int) -> None:
        super().__init__()
        self._client = client
        self._method = method
        self._resends = resends
        self._status = 0

    def answered(self, status: int) -> None:
        self._status = status

    def _begin(self) -> tuple[TraceSpan, None]:
        client, method = self._client, self._method
        attributes = client.of_attempts[method]
        if self._resends:
            attributes = {**attributes, "http.request.resend_count": self._resends}
        self._started = perf_counter()
        name = client.names[method]
        return client.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes), None

    def _error_type(self, error: BaseException) -> str:
        status = self._status
        return str(status) if status >= HTTPStatus.BAD_REQUEST else type(error).__name__

    def _end(self, error_type: str) -> None:
        seconds = perf_counter() - self._started
        if self._status:
            self._span.set_attribute("http.response.status_code", self._status)
        self._client.metrics.attempt(self._method, self._status, error_type, seconds)


class _Check(_Span):
    __slots__ = ("_client", "_result")

    def __init__(self, client: ClientSpans) -> None:
        super().__init__()
        self._client = client
        self._result = "failed"

    def checked(self, *, exists: bool) -> None:
        self._result = "found" if exists else "absent"

    def _begin(self) -> tuple[TraceSpan, None]:
        return self._client.tracer.start_span("restream.check"), None

    def _end(self, error_type: str) -> None:
        result = "failed" if error_type else self._result
        self._span.set_attribute("restream.check.result", result)
        self._client.metrics.check(result)


class _Part(_Span):
    """A part of a run, or the same without a run: it has a trace of its own in a run."""

    __slots__ = ("_client", "_name", "_new")

    def __init__(self, client: ClientSpans, name: str, new: NewRestream) -> None:
        super().__init__()
        self._client = client
        self._name = name
        self._new = new

    def _begin(self) -> tuple[TraceSpan, Context | None]:
        start, run = self._client.tracer.start_span, otel.get_value(_RUN)
        if not isinstance(run, SpanContext):
            return start(self._name), None
        # Nothing inside is a part of the run once more.
        inside = otel.set_value(_RUN, None)
        return start(self._name, context=Context(), links=(Link(run),)), inside

    def _end(self, error_type: str) -> None:  # noqa: ARG002 - as in the base
        if self._span.is_recording():
            self._span.set_attributes({"restream.video_id": _shown(self._new), **self._result()})

    def _result(self) -> Mapping[str, str | int]:
        return {}


class _Creation(_Part):
    __slots__ = ("_attempts", "_maybe_duplicate", "_origin", "_started")

    def __init__(self, client: ClientSpans, new: NewRestream) -> None:
        super().__init__(client, "restream.create", new)
        self._origin: Origin | None = None
        self._started = perf_counter()

    def created(self, origin: Origin, attempts: int, *, maybe_duplicate: bool) -> None:
        self._origin = origin
        self._attempts = attempts
        self._maybe_duplicate = maybe_duplicate

    def _end(self, error_type: str) -> None:
        end = error_type if error_type or self._origin is None else self._origin
        self._client.metrics.creation(end, perf_counter() - self._started)
        super()._end(error_type)

    def _result(self) -> Mapping[str, str | int]:
        if self._origin is None:
            return {}
        result = {"restream.origin": self._origin.value, "restream.attempts": self._attempts}
        return {**result, "restream.maybe_duplicate": True} if self._maybe_duplicate else result


class _Run(RunSpan):
    """A run. Its span is current in its tasks only, because its block is the caller's."""

    def __init__(self, tracer: Tracer, name: str) -> None:
        self._tracer = tracer
        self._name = name
        self._failure: BaseException | None = None
        self._context = contextvars.Context()

    @property
    def context(self) -> contextvars.Context:
        return self._context.copy()

    def __enter__(self) -> Self:
        self._span = span = self._tracer.start_span(self._name)
        context = set_span_in_context(span, otel.set_value(_RUN, span.get_span_context()))
        self._context = contextvars.copy_context()
        self._context.run(otel.attach, context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failure = error or self._failure
        if failure is not None:
            _note_failure(self._span, failure, type(failure).__name__)
        self._failure = None
        self._span.end()

    def failed(self, error: BaseException) -> None:
        self._failure = error

    def counted(self, counts: Mapping[str, int]) -> None:
        self._span.set_attributes({f"restream.run.{name}": value for name, value in counts.items()})


class SendSpan(_Span):
    """The span of sending a message to NATS."""

    __slots__ = ("_subject", "_tracer")

    def __init__(self, tracer: Tracer, subject: str) -> None:
        """Send to `subject`."""
        super().__init__()
        self._tracer = tracer
        self._subject = subject

    def _begin(self) -> tuple[TraceSpan, None]:
        attributes = {
            "messaging.system": "nats",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": self._subject,
        }
        name = f"publish {self._subject}"
        return self._tracer.start_span(name, kind=SpanKind.PRODUCER, attributes=attributes), None


class Received(Span):
    """A block in which new spans belong to the trace that a message came from."""

    __slots__ = ("_headers", "_token")

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Read the headers of a message."""
        self._headers = headers

    def __enter__(self) -> Self:
        """Make the sender's span the current one."""
        self._token = otel.attach(extract(self._headers))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go back to the span of before."""
        otel.detach(self._token)


def _note_failure(span: TraceSpan, error: BaseException, error_type: str) -> None:
    """Note the type of an error, and its text only if it was redacted."""
    span.set_attribute("error.type", error_type)
    text = error.summary if isinstance(error, CallError) else None
    span.set_status(Status(StatusCode.ERROR, text))


def _shown(new: NewRestream) -> str:
    """Return the id of the video, without secrets that may stand in it by mistake."""
    # In two steps, because many restreams have the same URL, and its spellings are kept.
    return redact(redact(new.video_id, url_secrets(new.stream_url)), (new.stream_key,))
