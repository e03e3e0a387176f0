"""Private: the spans that belong to no client, and what all spans have in common.

No span holds an exception, or a text that was not redacted.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.trace import Span as TraceSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from restream_async._telemetry import Span
from restream_async.errors import CallError
from restream_async.telemetry._guard import GuardedTracer, end_span, extract


class CurrentSpan(Span, ABC):
    """A span that is the current one in its block."""

    __slots__ = ("_error", "_span", "_token")

    def __init__(self) -> None:
        """Begin it with the block."""
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Begin it, and make it the current one."""
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
        """End it. An exception of the block is its failure."""
        otel.detach(self._token)
        if error is not None:
            self._error = error
        error_type = ""
        if self._error is not None:
            error_type = type(self._error).__name__
            note_failure(self._span, self._error, error_type)
            self._error = None
        self._end(error_type)
        end_span(self._span)

    def failed(self, error: BaseException) -> None:
        """Note why it failed."""
        self._error = error

    @abstractmethod
    def _begin(self) -> tuple[TraceSpan, Context | None]:
        """Return the new span, and the context in which it becomes the current one."""
        ...

    def _end(self, error_type: str) -> None:
        """Note how it ended; `error_type` is empty if it succeeded."""


class SendSpan(CurrentSpan):
    """The span of sending a message to NATS."""

    __slots__ = ("_subject", "_tracer")

    def __init__(self, tracer: GuardedTracer, subject: str) -> None:
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


def note_failure(span: TraceSpan, error: BaseException, error_type: str) -> None:
    """Note the type of an error, and its text only if it was redacted."""
    span.set_attribute("error.type", error_type)
    text = error.summary if isinstance(error, CallError) else None
    span.set_status(Status(StatusCode.ERROR, text))
