"""Private: the metrics. Counts are plain numbers, which OpenTelemetry reads when it collects.

To add 1 to a counter of the SDK costs as much as a fifth of a creation.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary, WeakMethod

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from restream_async.models import Origin
from restream_async.stats import Stats
from restream_async.telemetry._guard import record

_Attributes: TypeAlias = tuple[tuple[str, str | int], ...]

# Each attribute costs as much as 3 % of a creation, so this histogram has only one.
_CREATED: Final = {"restream.outcome": "created"}
_FAILED: Final = {"restream.outcome": "failed"}
# Seconds. Those that the semantic conventions advise for requests.
_OF_REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
# A creation may wait for a slot, for retries, and for the end of an outage.
_OF_CREATIONS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_GAUGES: Final[tuple[tuple[str, str, str, Callable[[Stats], int]], ...]] = (
    ("requests.in_flight", "{request}", "Requests in flight.", lambda stats: stats.in_flight),
    ("requests.waiting", "{request}", "Requests that wait for a slot.", lambda s: s.waiting),
    ("requests.limit", "{request}", "The concurrency limit.", lambda stats: stats.limit),
    (
        "circuit_breaker.open",
        "{client}",
        "Clients whose circuit breaker is open.",
        lambda stats: stats.state == "open",
    ),
    (
        "retry_budget",
        "{retry}",
        "Retries that the retry budget allows at once.",
        lambda stats: stats.budget_left,
    ),
)


class Metrics:
    """The metrics of all clients that share a meter provider."""

    def __init__(self, provider: MeterProvider, scope: str, version: str) -> None:
        """Make the instruments."""
        meter = provider.get_meter(scope, version)
        self.attempt_duration = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of attempts.",
            explicit_bucket_boundaries_advisory=_OF_REQUESTS,
        )
        self.creation_duration = meter.create_histogram(
            "restream.creation.duration",
            "s",
            "Duration of creations, with all waits.",
            explicit_bucket_boundaries_advisory=_OF_CREATIONS,
        )
        self.creations: Counter[_Attributes] = Counter()
        self.attempts: Counter[_Attributes] = Counter()
        self.retries: Counter[_Attributes] = Counter()
        self.checks: Counter[_Attributes] = Counter()
        for name, unit, text, counter in (
            ("creations", "{restream}", "Creations that have ended.", self.creations),
            ("attempts", "{request}", "Requests that were sent.", self.attempts),
            ("retries", "{retry}", "Retries after a failure.", self.retries),
            ("checks", "{check}", "Existence checks.", self.checks),
        ):
            meter.create_observable_counter(f"restream.{name}", [_reader(counter)], unit, text)
        # The clients that are observed, with their addresses.
        self.observed: dict[WeakMethod[Callable[[], Stats]], _Attributes] = {}
        for name, unit, text, value in _GAUGES:
            callback = self._gauge(value)
            meter.create_observable_gauge(f"restream.{name}", [callback], unit, text)

    def _gauge(
        self, value: Callable[[Stats], int]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return a callback that adds up a value over the clients of each service."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            sums: defaultdict[_Attributes, int] = defaultdict(int)
            # A reader runs in a thread of its own, so clients may come and go meanwhile.
            for reference, server in [*self.observed.items()]:
                if (stats := reference()) is not None:
                    sums[server] += value(stats())
            return [Observation(total, dict(server)) for server, total in sums.items()]

        return observe


class ClientMetrics:
    """What one client adds to the metrics."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        """Count for a client of the service at this address."""
        self._metrics = metrics
        self._server: _Attributes = (("server.address", host), ("server.port", port))
        self._observed: list[WeakMethod[Callable[[], Stats]]] = []
        # The attributes for each kind of end are made once.
        self._creations: dict[Origin | str, _Attributes] = {}
        self._attempts: dict[tuple[str, int, str], _Attributes] = {}

    def observe(self, stats: Callable[[], Stats]) -> None:
        """Read the state of the client from now on, until it is closed or gone."""
        observed = self._metrics.observed
        reference = WeakMethod(stats, lambda gone: observed.pop(gone, None))
        observed[reference] = self._server
        self._observed.append(reference)

    def close(self) -> None:
        """Stop reading the state of the client."""
        for reference in self._observed:
            self._metrics.observed.pop(reference, None)

    def creation(self, end: Origin | str, seconds: float) -> None:
        """Count a creation: how the restream is known to exist, or the type of the error."""
        attributes = self._creations.get(end)
        if attributes is None:
            how: _Attributes = (("restream.outcome", "failed"), ("error.type", str(end)))
            if isinstance(end, Origin):
                how = (("restream.outcome", "created"), ("restream.origin", end.value))
            attributes = self._creations[end] = (*self._server, *how)
        self._metrics.creations[attributes] += 1
        outcome = _CREATED if isinstance(end, Origin) else _FAILED
        record(self._metrics.creation_duration, seconds, outcome)

    def attempt(self, method: str, status: int, error_type: str, seconds: float) -> None:
        """Count an attempt: its HTTP status or 0, and the type of its error or an empty text."""
        attributes = self._attempts.get((method, status, error_type))
        if attributes is None:
            attributes = (*self._server, ("http.request.method", method))
            if status:
                attributes = (*attributes, ("http.response.status_code", status))
            if error_type:
                attributes = (*attributes, ("error.type", error_type))
            self._attempts[method, status, error_type] = attributes
        self._metrics.attempts[attributes] += 1
        record(self._metrics.attempt_duration, seconds, dict(attributes))

    def retry(self, error_type: str) -> None:
        """Count a retry, by the type of the error that caused it."""
        self._metrics.retries[*self._server, ("error.type", error_type)] += 1

    def check(self, result: str) -> None:
        """Count an existence check: `found`, `absent` or `failed`."""
        self._metrics.checks[*self._server, ("restream.check.result", result)] += 1


def metrics_of(provider: MeterProvider, scope: str, version: str) -> Metrics:
    """Return the metrics of a provider, which has each instrument once."""
    metrics = _METRICS.get(provider)
    if metrics is None:
        metrics = _METRICS[provider] = Metrics(provider, scope, version)
    return metrics


def _reader(
    counter: Counter[_Attributes],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, dict(attributes)) for attributes, count in [*counter.items()]]

    return observe


_METRICS: Final[WeakKeyDictionary[MeterProvider, Metrics]] = WeakKeyDictionary()
