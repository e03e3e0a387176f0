"""Private: the spans of messages: sending one to NATS, and what follows from receiving one."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry import context as otel
from opentelemetry.trace import Span as TraceSpan
from opentelemetry.trace import SpanKind

from restream_async._telemetry import Span
from restream_async.telemetry._current_span import CurrentSpan
from restream_async.telemetry._guard import GuardedTracer, extract


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
