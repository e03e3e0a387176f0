"""A concurrency limiter in simulated time, and what its requests do."""

import asyncio

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._load.load_signal import Signal
from tests.helpers.simulated_service import SHED
from tests.helpers.simulated_time import now, simulated_clock


def limiter_of(*, ceiling: int = 64, patience: float = 300.0) -> ConcurrencyLimiter:
    return ConcurrencyLimiter.adaptive(ceiling, patience, simulated_clock())


async def answers(
    limiter: ConcurrencyLimiter, count: int, signal: Signal = Signal.GOOD, latency: float = 0.05
) -> None:
    """Let so many go through, as many at once as may, and get such an answer."""
    while count:
        through = 0
        while through < count and limiter.try_acquire():
            through += 1
        assert through, "nobody is let through"
        started = now()
        await asyncio.sleep(latency)
        for _ in range(through):
            limiter.release(signal, latency, "POST", started)
        count -= through


async def fall(limiter: ConcurrencyLimiter) -> None:
    """Let the service be gone: ten failures within a second."""
    for _ in range(10):
        limiter.failed(SHED.error)
        await asyncio.sleep(1 / 9)
    assert limiter.state == "open"


async def pass_through(limiter: ConcurrencyLimiter, log: list[float], *, good: bool) -> None:
    await limiter.acquire()
    log.append(now())
    await asyncio.sleep(0.01)
    if good:
        limiter.succeeded()
    else:
        limiter.failed(SHED.error)
    limiter.release(Signal.GOOD if good else None, 0.01, "POST", now() - 0.01)


async def refuse(limiter: ConcurrencyLimiter, *, retry_after: float | None = None) -> float:
    """Let one request get a 429; return the moment."""
    await limiter.acquire()
    started = now()
    await asyncio.sleep(0.01)
    limiter.release(Signal.LIMITED, 0.01, "", started, retry_after)
    return now()


async def accept(limiter: ConcurrencyLimiter, log: list[float] | None = None) -> None:
    """Let one request get a good answer."""
    await limiter.acquire()
    started = now()
    if log is not None:
        log.append(started)
    await asyncio.sleep(0.01)
    limiter.release(Signal.GOOD, 0.01, "POST", started)


async def find_rate(limiter: ConcurrencyLimiter) -> None:
    """Let the limiter know a rate of about one request a second."""
    await refuse(limiter)
    await accept(limiter)
    await refuse(limiter)
    await accept(limiter)
