"""The other contestant in simulated time: the same client, with a limit that never changes.

All that depends on how the library's limit looks inside is here.
"""

from benchmarks.terms import IN_FLIGHT
from restream_async import RetryPolicy
from restream_async._load.adaptive_limit import AdaptiveLimit, Signal
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.rate_limit import RateLimit
from restream_async._retry.executor import Exchange, RequestExecutor
from restream_async._util.clock import Timing


class _FixedLimit(AdaptiveLimit):
    """Learns nothing."""

    def record(
        self, signal: Signal, started: float, latency: float, in_flight: int, kind: str
    ) -> bool:
        """Leave the limit as it is."""
        del signal, started, latency, in_flight, kind
        return False

    def restart(self) -> None:
        """Leave the limit as it is."""


def caller_with_fixed_limit(
    exchange: Exchange, *, patience: float, policy: RetryPolicy, timing: Timing, timeout: float
) -> RequestExecutor:
    """Return what `RequestExecutor.over` returns, but always with 64 requests in flight."""
    outage = CircuitBreaker(patience, timing.now, timing.random, longest_pause=policy.longest_wait)
    limiter = ConcurrencyLimiter(
        _FixedLimit(IN_FLIGHT, start=IN_FLIGHT), RateLimit(timing.now), outage, timing.sleep
    )
    return RequestExecutor(
        exchange=exchange,
        limiter=limiter,
        policy=policy,
        timing=timing,
        timeout=timeout,
        secrets=(),
    )
