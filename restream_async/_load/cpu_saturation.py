"""Private: CPU saturation: whether answers wait for this client, not for the service."""

from collections.abc import Callable
from typing import Final

# The share of CPU time from which latencies are those of this client, not of the service.
_SATURATED: Final = 0.8


class CpuSaturation:
    """Whether this thread has used the CPU nearly all the time since the last round of answers.

    Then fewer requests in flight only make it handle fewer answers at a time, which costs up to 4 %
    more CPU time for each.
    """

    def __init__(self, cpu_time: Callable[[], float]) -> None:
        """Begin; `cpu_time` returns the CPU seconds of this thread so far."""
        self._cpu_time = cpu_time
        # The moment of the last round, and the CPU time then.
        self._began = (0.0, 0.0)

    def is_saturated(self, now: float) -> bool:
        """Return whether the CPU was busy since the last round."""
        then, before = self._began
        return self._cpu_time() - before > _SATURATED * (now - then)

    def end_round(self, now: float) -> bool:
        """Return the same at the end of a round, and begin the next one."""
        saturated = self.is_saturated(now)
        self._began = (now, self._cpu_time())
        return saturated
