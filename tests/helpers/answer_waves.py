"""Answers to an adaptive limit, in waves."""

import math

from restream_async._load.adaptive_limit import AdaptiveLimit
from restream_async._load.load_signal import Signal

IDLE = 0.05
"""Seconds of an answer under little load."""


class Load:
    """Requests through a limit, in waves: as many as may be in flight, all answered at once."""

    def __init__(self, size: int = 64, *, ceiling: int = 256) -> None:
        self.now = 1000.0
        self.computing = 0.0
        self.computed = 0.0
        self.limit = AdaptiveLimit(ceiling, lambda: self.computed, start=size)

    @property
    def value(self) -> int:
        return self.limit.value

    def answer(
        self,
        signal: Signal = Signal.GOOD,
        latency: float = IDLE,
        *,
        started: float | None = None,
        in_flight: int | None = None,
        kind: str = "POST",
    ) -> bool:
        """Give an answer to a request that was sent just now, unless it was sent earlier."""
        return self.limit.record(
            signal,
            self.now if started is None else started,
            latency,
            self.value if in_flight is None else in_flight,
            "" if signal is Signal.SHED else kind,
        )

    def wave(
        self, latency: float = IDLE, *, shed: int = 0, busy: bool = True, kind: str = "POST"
    ) -> int:
        """Send what may be in flight; the first of them are refused. Return the limit then."""
        size = self.value
        self.computed += self.computing * (latency + 0.001)
        for number in range(size):
            signal = Signal.SHED if number < shed else Signal.GOOD
            self.answer(signal, latency, in_flight=size if busy else 1, kind=kind)
        self.now += latency + 0.001
        return self.value

    def varied_wave(self, latency: float, error: float) -> int:
        """Let answers vary around a latency: that much is the standard error of its logarithm."""
        size = self.value
        times = math.exp(error * math.sqrt(size))
        for number in range(size):
            varied = latency * times if number % 2 else latency / times
            self.answer(latency=varied, in_flight=size)
        self.now += latency * times + 0.001
        return self.value

    def forgiven(self) -> int:
        """Return how many errors in a row do not lower the limit."""
        size, count = self.value, 0
        while True:
            self.answer(Signal.SHED)
            if self.value < size:
                return count
            count += 1

    def every_fourth_is_refused(self, count: int) -> list[int]:
        """Return the limit after each answer."""
        sizes: list[int] = []
        for number in range(count):
            self.answer(Signal.GOOD if number % 4 else Signal.SHED)
            self.now += IDLE / self.value
            sizes.append(self.value)
        return sizes

    def waves(self, count: int, latency: float = IDLE, *, shed: int = 0) -> list[int]:
        return [self.wave(latency, shed=shed) for _ in range(count)]

    def waves_at(self, latency: float = IDLE, *, busy: bool = True, most: int = 200) -> int:
        """Return how many waves it takes until the limit changes."""
        size, count = self.value, 1
        while self.wave(latency, busy=busy) == size:
            count += 1
            assert count < most, "it never changes"
        return count

    def queue(self, slots: int, count: int, *, latency: float = IDLE) -> list[int]:
        """Send waves to a service that works on so many at once, the others wait."""
        return [self.wave(max(1, self.value / slots) * latency) for _ in range(count)]


def standing(size: int, *, ceiling: int = 256) -> Load:
    """Return a limit of that size that has just been lowered by one, so that it grows by one."""
    load = Load(size + 1, ceiling=ceiling)
    load.wave()
    # Three are forgiven, and the next one takes a slot.
    assert load.forgiven() == 3
    assert load.value == size
    load.now += IDLE + 0.001
    return load
