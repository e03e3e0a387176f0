"""The other contestant in simulated time: the same client, with a limit that never changes.

Only this file depends on the inside of the library's limit.
"""

from benchmarks.terms import IN_FLIGHT
from restream_async import RetryPolicy
from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.circuit_breaker import CircuitBreaker
from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from restream_async._load.rate_limit import RateLimit
from restream_async._retry.executor import RequestExecutor, Sender
from restream_async._util.clock import Clock


class _FixedLimit(AdaptiveLimit):
    """A limit that never changes."""

    def record(
        self, signal: Signal, started: float, latency: float, in_flight: int, kind: str
    ) -> bool:
        """Leave the limit as it is."""
        del signal, started, latency, in_flight, kind
        return False

    def restart(self) -> None:
        """Leave the limit as it is."""


def executor_with_fixed_limit(
    exchange: Sender, *, patience: float, policy: RetryPolicy, clock: Clock, timeout: float
) -> RequestExecutor:
    """Return what `RequestExecutor.adaptive` returns, but always with 64 requests in flight."""
    breaker = CircuitBreaker(patience, clock.now, clock.random, longest_pause=policy.longest_wait)
    limiter = ConcurrencyLimiter(
        _FixedLimit(IN_FLIGHT, start=IN_FLIGHT), RateLimit(clock.now), breaker, clock.sleep
    )
    return RequestExecutor(
        transport=exchange,
        limiter=limiter,
        policy=policy,
        clock=clock,
        timeout=timeout,
        secrets=(),
    )
