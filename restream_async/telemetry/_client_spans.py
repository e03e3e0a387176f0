"""Private: the spans of a client."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    set_span_in_context,
)
from opentelemetry.trace import Span as TraceSpan

from restream_async._http.api import URL_TEMPLATES
from restream_async._telemetry import AttemptSpan, ClientTelemetry, RunSpan, Span
from restream_async._util.redaction import may_repeat, redact, url_secrets
from restream_async.errors import RestreamError
from restream_async.models import NewRestream, Origin
from restream_async.stats import Stats
from restream_async.telemetry._current_span import CurrentSpan, note_failure
from restream_async.telemetry._guard import GuardedTracer, end_span
from restream_async.telemetry._metrics import ClientMetrics

# Where a context has the run whose parts are traces of their own.
_RUN: Final = otel.create_key("restream-run")


class ClientSpans(ClientTelemetry):
    """The hooks of one client."""

    def __init__(self, tracer: GuardedTracer, metrics: ClientMetrics, host: str, port: int) -> None:
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

    def attempt(self, method: str, resends: int) -> AttemptSpan:
        """Return the span of an attempt that begins now."""
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


class _Attempt(AttemptSpan):
    __slots__ = ("_client", "_method", "_span", "_started", "_token")

    def __init__(self, client: ClientSpans, method: str, resends: int) -> None:
        self._client = client
        self._method = method
        attributes = client.of_attempts[method]
        if resends:
            attributes = {**attributes, "http.request.resend_count": resends}
        self._span = span = client.tracer.start_span(
            client.names[method], kind=SpanKind.CLIENT, attributes=attributes
        )
        self._token = otel.attach(set_span_in_context(span))
        self._started = perf_counter()

    def ended(self, status: int, error: BaseException | None = None) -> None:
        seconds = perf_counter() - self._started
        otel.detach(self._token)
        span, error_type = self._span, ""
        if status:
            span.set_attribute("http.response.status_code", status)
        if error is not None:
            refused = status >= HTTPStatus.BAD_REQUEST
            error_type = str(status) if refused else type(error).__name__
            note_failure(span, error, error_type)
        end_span(span)
        self._client.metrics.attempt(self._method, status, error_type, seconds)


class _Check(CurrentSpan):
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


class _Part(CurrentSpan):
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
        # Inner spans are children of this span, not new traces.
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

    def created(self, origin: Origin, attempts: int, maybe_duplicate: bool) -> None:  # noqa: FBT001 - of the hook
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

    def __init__(self, tracer: GuardedTracer, name: str) -> None:
        super().__init__()
        self._tracer = tracer
        self._name = name

    def __enter__(self) -> Self:
        self._span = span = self._tracer.start_span(self._name)
        context = set_span_in_context(span, otel.set_value(_RUN, span.get_span_context()))
        super().__enter__()
        self._context.run(otel.attach, context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An error arrives here if entering the run fails, or if the run is cancelled.
        self._note(error)
        end_span(self._span)

    def ended(self, counts: Mapping[str, int], error: BaseException | None) -> None:
        self._span.set_attributes({f"restream.run.{name}": n for name, n in counts.items()})
        self._note(error)

    def _note(self, error: BaseException | None) -> None:
        if error is not None:
            note_failure(self._span, error, type(error).__name__)


def _shown(new: NewRestream) -> str:
    """Return the id of the video, without secrets that may stand in it by mistake."""
    video_id, of_url, key = new.video_id, url_secrets(new.stream_url), (new.stream_key,)
    # To mask every id would cost as much as a sixth of a creation.
    unclear = may_repeat(video_id, of_url) or may_repeat(video_id, key)
    return redact(video_id, new.secrets) if unclear else video_id
