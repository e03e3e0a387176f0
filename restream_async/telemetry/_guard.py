"""Private: faults of the application's telemetry, such as a sampler, a processor or a propagator.

The SDK lets their exceptions through. Here they are logged, so that they harm no creation.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from traceback import walk_tb
from typing import Final, TypeAlias

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram
from opentelemetry.propagate import extract as otel_extract
from opentelemetry.propagate import inject as otel_inject
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Tracer

_Attributes: TypeAlias = Mapping[str, str | int]

_log: Final = logging.getLogger("restream_async.telemetry")


class GuardedTracer:
    """Starts spans."""

    def __init__(self, tracer: Tracer) -> None:
        """Start those of `tracer`."""
        self._start = tracer.start_span

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: _Attributes | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        """Return a new span; after a fault one that reports nothing."""
        try:
            return self._start(name, context, kind, attributes, links)
        except Exception as error:  # noqa: BLE001 - code of the application
            _note(error)
            return INVALID_SPAN


def end_span(span: Span) -> None:
    """End a span."""
    try:
        span.end()
    except Exception as error:  # noqa: BLE001 - code of the application
        _note(error)


def record(histogram: Histogram, seconds: float, attributes: _Attributes) -> None:
    """Add a duration to a histogram."""
    try:
        histogram.record(seconds, attributes)
    except Exception as error:  # noqa: BLE001 - code of the application
        _note(error)


def inject(headers: dict[str, str]) -> None:
    """Add the trace context of the current span to headers."""
    try:
        otel_inject(headers)
    except Exception as error:  # noqa: BLE001 - code of the application
        _note(error)


def extract(headers: Mapping[str, str]) -> Context:
    """Return the trace context of headers; after a fault an empty one."""
    try:
        return otel_extract(headers)
    except Exception as error:  # noqa: BLE001 - code of the application
        _note(error)
        return Context()


def _note(error: Exception) -> None:
    *_, (frame, line) = walk_tb(error.__traceback__)
    _log_once(type(error).__name__, f"{frame.f_code.co_filename}:{line}")


# A fault may come with every span.
@functools.lru_cache(maxsize=64)
def _log_once(error_type: str, place: str) -> None:
    # Not the text of the exception, because it may hold a secret.
    _log.warning("telemetry failed (logged once): %s at %s", error_type, place)
