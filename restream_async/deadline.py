"""When all has to be over, on whichever clock counts."""

from collections.abc import Callable


class Deadline:
    """A moment on a clock.

    The clock of a bulk run stands still during an outage; that of a single call does not.
    """

    __slots__ = ("_clock", "_moment", "patient")

    def __init__(
        self, clock: Callable[[], float], seconds: float, *, patient: bool = False
    ) -> None:
        """Set it so many seconds from now on `clock`, which is `patient` if it can stand still."""
        self.patient = patient
        self._clock = clock
        self._moment = clock() + seconds

    def left(self) -> float:
        """Return the seconds until then; below 0 when it is over."""
        return self._moment - self._clock()
