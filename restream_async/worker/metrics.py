"""Private: the metrics of a worker and of its client, for Prometheus."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, Info, ProcessCollector

from restream_async import __version__
from restream_async.telemetry import OpenTelemetry
from restream_async.worker.activity import Activity

_Callback: TypeAlias = Callable[[CallbackOptions], Iterable[Observation]]

_MESSAGES: Final = "{message}"


class WorkerMetrics:
    """Reads the numbers of a worker whenever they are asked for.

    Attributes:
        registry: all metrics.
        telemetry: for the client, whose metrics are then in `registry` too.

    """

    def __init__(self, activity: Activity) -> None:
        """Register the metrics of a worker."""
        self.registry = CollectorRegistry()
        self._provider = MeterProvider(
            metric_readers=[
                PrometheusMetricReader(
                    registry=self.registry, disable_target_info=True, scope_info_enabled=False
                )
            ],
            shutdown_on_exit=False,
        )
        self.telemetry = OpenTelemetry(meter_provider=self._provider)
        # Memory, processor time and open files of the process.
        ProcessCollector(registry=self.registry)
        Info("restream_build", "The version of restream-async.", registry=self.registry).info(
            {"version": __version__}
        )
        meter = self._provider.get_meter("restream_async.worker", __version__)

        def verdicts(_: CallbackOptions) -> Iterable[Observation]:
            for verdict, count in activity.verdicts.items():
                yield Observation(count, {"verdict": verdict})

        meter.create_observable_counter(
            "restream.worker.messages",
            [verdicts],
            _MESSAGES,
            "Deliveries of messages that have ended, by what became of them.",
        )
        meter.create_observable_counter(
            "restream.worker.redeliveries",
            [_value(lambda: activity.redelivered)],
            _MESSAGES,
            "Deliveries of messages that had been delivered before.",
        )
        meter.create_observable_counter(
            "restream.worker.publish.failures",
            [_value(lambda: activity.unpublished)],
            "{attempt}",
            "Failed attempts to publish an outcome or a dead letter. They are repeated.",
        )
        for name, read, unit, text in (
            (
                "in_progress",
                lambda: activity.in_progress,
                _MESSAGES,
                "Messages in progress.",
            ),
            (
                "slots",
                lambda: activity.slots,
                _MESSAGES,
                "The most messages that may be in progress.",
            ),
            (
                "nats.connected",
                lambda: int(activity.is_connected),
                "",
                "1 if there is a connection to the NATS server, else 0.",
            ),
            (
                "ready",
                lambda: int(not activity.readiness_problem()),
                "",
                "1 if the worker takes messages, as /readyz says, else 0.",
            ),
        ):
            meter.create_observable_gauge(f"restream.worker.{name}", [_value(read)], unit, text)

    def close(self) -> None:
        """Read no more."""
        self._provider.shutdown()


def _value(read: Callable[[], int]) -> _Callback:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(read())

    return observe
