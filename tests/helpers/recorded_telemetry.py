"""OpenTelemetry's SDK with exporters in memory: what a client has reported, to be read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from restream_async.telemetry import OpenTelemetry

if TYPE_CHECKING:
    from collections.abc import Mapping


class RecordedTelemetry:
    """The providers of an application, and what they were given."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider([self._reader])
        self.tracer = self.tracer_provider.get_tracer("application")
        self.telemetry = OpenTelemetry(self.tracer_provider, self.meter_provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that have ended, in the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans whose name begins so."""
        return [span for span in self.spans if span.name.startswith(name)]

    @property
    def metrics(self) -> dict[str, Metric]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """The attributes of a metric besides the address, with its values or counts."""
        metric = self.metrics.get(name)
        return [
            (
                _without_address(point.attributes or {}),
                getattr(point, "value", None) or _count(point),
            )
            for point in (metric.data.data_points if metric is not None else ())
        ]

    def texts(self) -> str:
        """All that was recorded, as text."""
        metrics = [metric.to_json() for metric in self.metrics.values()]
        return "\n".join([*(span.to_json() for span in self.spans), *metrics])

    def close(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


def _without_address(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.startswith("server.")}


def _count(point: object) -> float:
    return float(getattr(point, "count", 0))


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    assert parent.context is not None
    return span.parent is not None and span.parent.span_id == parent.context.span_id


def parent_of(span: ReadableSpan, spans: list[ReadableSpan]) -> ReadableSpan | None:
    return next((each for each in spans if is_child(span, each)), None)


def tree(spans: list[ReadableSpan]) -> list[str]:
    """The names of spans, each behind those of its parents."""

    def path(span: ReadableSpan) -> str:
        parent = parent_of(span, spans)
        name = span.name.partition(" ")[0]
        return f"{path(parent)} > {name}" if parent is not None else name

    return [path(span) for span in spans]
