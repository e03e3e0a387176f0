"""When all has to be over."""

from collections.abc import Callable


class Deadline:
    """A moment, so many seconds from now.

    A patient one moves on by the time for which the client is held in an outage.

    Attributes:
        in_doubt: whether an attempt of the call that ends then may have taken effect without a
            known outcome. Whoever cancels the call reads it afterwards.

    """

    __slots__ = ("_held", "_moment", "_now", "in_doubt")

    def __init__(
        self, now: Callable[[], float], seconds: float, held: Callable[[], float] | None = None
    ) -> None:
        """Set it.

        Args:
            now: seconds on a clock that never goes back.
            seconds: how much time there is.
            held: the seconds of all outages so far, to make it patient.

        """
        self._now = now
        self._held = held
        self.in_doubt = False
        self._moment = now() + seconds
        if held is not None:
            self._moment -= held()

    @property
    def patient(self) -> bool:
        """Whether it moves on in an outage."""
        return self._held is not None

    def left(self) -> float:
        """Return the seconds until then; below 0 when it is over."""
        left = self._moment - self._now()
        return left if self._held is None else left + self._held()
