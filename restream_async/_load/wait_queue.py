"""Private: the queue of requests that wait for a slot of the concurrency limiter."""

import asyncio
from collections import OrderedDict
from typing import TypeAlias

Turn: TypeAlias = "asyncio.Future[None]"


class GivenUpError(Exception):
    """The outage lasts longer than the outage timeout. Stays inside the library."""


class WaitQueue:
    """Two queues that take turns: the first requests of items, and all other requests.

    A retry also costs a check. If retries went first after an outage, many clients together would
    send twice what the service can take.

    Attributes:
        first: the first requests of items.
        others: checks, retries and single calls.

    """

    def __init__(self) -> None:
        """Begin empty."""
        # A request that is cancelled is removed from an ordered dictionary without a search.
        self.first: OrderedDict[Turn, None] = OrderedDict()
        self.others: OrderedDict[Turn, None] = OrderedDict()
        self._first_is_next = False
        # Those of both that give up after the outage timeout.
        self._patient: set[Turn] = set()

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self.first) + len(self.others)

    @property
    def has_patient(self) -> bool:
        """Whether any request gives up after the outage timeout."""
        return bool(self._patient)

    def add(self, *, first: bool, ahead: bool, patient: bool) -> Turn:
        """Add a request; return what it awaits.

        Args:
            first: whether it is the first request of an item.
            ahead: whether it goes ahead of all others.
            patient: whether it gives up after the outage timeout.

        """
        turn = asyncio.get_running_loop().create_future()
        queue = self.first if first else self.others
        queue[turn] = None
        if ahead:
            queue.move_to_end(turn, last=False)
            self._first_is_next = first
        if patient:
            self._patient.add(turn)
        return turn

    def discard(self, turn: Turn) -> None:
        """Remove a request that waits no longer."""
        self.first.pop(turn, None)
        self.others.pop(turn, None)
        self._patient.discard(turn)

    def pop(self) -> bool:
        """Wake the request whose turn it is; return False if none waits."""
        while self.first or self.others:
            first = bool(self.first) and (self._first_is_next or not self.others)
            self._first_is_next = not first
            turn, _ = (self.first if first else self.others).popitem(last=False)
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def fail_patient(self) -> None:
        """Wake all patient requests with `GivenUpError`."""
        for turn in tuple(self._patient):
            if not turn.done():
                turn.set_exception(GivenUpError())
            self.first.pop(turn, None)
            self.others.pop(turn, None)
