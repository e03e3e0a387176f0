"""Private: what all spans have in common: being the current one, and how a failure is noted.

No span holds an exception, or a text that was not redacted.
"""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.trace import Span as TraceSpan
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from restream_async._telemetry import Span
from restream_async.errors import CallError
from restream_async.telemetry._guard import end_span


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


def note_failure(span: TraceSpan, error: BaseException, error_type: str) -> None:
    """Note the type of an error, and its text only if it was redacted."""
    span.set_attribute("error.type", error_type)
    text = error.summary if isinstance(error, CallError) else None
    span.set_status(Status(StatusCode.ERROR, text))
