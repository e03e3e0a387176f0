"""How busy this side is itself: a client that has no time finds every service slow."""

from collections.abc import Callable
from typing import Final

FULL: Final = 0.8
"""Share of the time spent computing from which on latencies tell of this side, not of the service:
at that load, what arrives waits four times as long as it is worked on (M/M/1)."""


class Effort:
    """Compares the time that went by with the time that this thread spent computing."""

    def __init__(self, now: Callable[[], float], computing: Callable[[], float]) -> None:
        """Begin now.

        Args:
            now: seconds on a clock that never goes back.
            computing: seconds that this thread has spent computing so far.

        """
        self._now = now
        self._computing = computing
        self._then = now()
        self._spent = computing()

    def was_full(self) -> bool:
        """Say whether there was hardly any time to spare since this was last asked."""
        now, spent = self._now(), self._computing()
        elapsed, worked = now - self._then, spent - self._spent
        self._then, self._spent = now, spent
        return elapsed > 0 and worked > FULL * elapsed
