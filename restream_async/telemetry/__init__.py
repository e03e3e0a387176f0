"""`OpenTelemetry`: reports the traces and metrics of clients. Needs the extra `otel`.

A client uses it by itself if the application has set up the SDK of OpenTelemetry before it makes
the client, so most programs need nothing from here. The spans and the metrics are described in
`restream_async/README.md`.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from restream_async import __version__
from restream_async._telemetry import ClientTelemetry, Span, Telemetry
from restream_async.telemetry._client_spans import ClientSpans
from restream_async.telemetry._guard import GuardedTracer, inject
from restream_async.telemetry._message_spans import Received, SendSpan
from restream_async.telemetry._metrics import ClientMetrics, metrics_of

__all__ = ["OpenTelemetry", "Telemetry"]

_SCOPE: Final = "restream_async"


class OpenTelemetry(Telemetry):
    """Reports what clients do to OpenTelemetry. Several clients may share one."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        """Report to these providers; None for the one that the application has set.

        Clients whose `meter_provider` is the same share their metrics.
        """
        tracers = trace.get_tracer_provider() if tracer_provider is None else tracer_provider
        meters = metrics.get_meter_provider() if meter_provider is None else meter_provider
        self._tracer = GuardedTracer(tracers.get_tracer(_SCOPE, __version__))
        self._metrics = metrics_of(meters, _SCOPE, __version__)

    def for_client(self, host: str, port: int) -> ClientTelemetry:
        """Return the hooks of a client of the service at this address."""
        return ClientSpans(self._tracer, ClientMetrics(self._metrics, host, port), host, port)

    def sending(self, subject: str) -> Span:
        """Return the span of sending a message."""
        return SendSpan(self._tracer, subject)

    def inject(self, headers: dict[str, str]) -> None:
        """Add the trace context of the current span to the headers of a message."""
        inject(headers)

    def received(self, headers: Mapping[str, str]) -> Span:
        """Return a block in which new spans belong to the trace that a message came from."""
        return Received(headers)


def default_telemetry() -> Telemetry:
    """Return `OpenTelemetry()` if the application has set up an SDK by now, else null objects."""
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider())
    return Telemetry() if all(map(_is_default, providers)) else OpenTelemetry()


def _is_default(provider: object) -> bool:
    """Return whether a provider is one of the API itself, which reports nothing."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
