"""How a run stands, and how fast it goes. No clock of its own, no terminal."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from restream_async._bulk.report import BulkCounts
from restream_async.cli.output.totals import Totals
from restream_async.stats import Stats

if TYPE_CHECKING:
    from restream_async import RestreamError

# Seconds over which the rate is taken: long enough to be calm, short enough to be true.
_WINDOW: Final = 5.0


@attrs.frozen(kw_only=True)
class Snapshot:
    """A moment of a run.

    Attributes:
        total: how many restreams there are to create.
        totals: the outcomes so far.
        stats: what the client is doing.
        elapsed: seconds since the start.
        rate: how many came to an end per second, lately; of the whole run when it is over.
        left: seconds until all is done, at that rate; None where nobody can say.
        over: whether the run has ended.
        stopping: whether it was told to end.

    """

    total: int
    totals: Totals
    stats: Stats
    elapsed: float
    rate: float | None
    left: float | None
    over: bool
    stopping: bool = False

    @property
    def done(self) -> int:
        """How many have come to an end."""
        return self.totals.done

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return self.done / self.total

    @property
    def looking_again(self) -> bool:
        """Whether all is sent, and what was in doubt is being looked for once more."""
        return self.done == self.total and not self.over

    @property
    def held(self) -> bool:
        """Whether the run waits for a service that is gone, or that was never reached."""
        never = bool(self.stats.last_error) and not self.stats.reached
        return (self.stats.state == "open" or never) and not self.over


class Meter:
    """Looks at a run from time to time.

    Attributes:
        stopping: whether the run was told to end.
        ended_by: the error that ended the run before its end, or None.

    """

    def __init__(
        self,
        counts: Callable[[], BulkCounts],
        stats: Callable[[], Stats],
        *,
        total: int,
        now: Callable[[], float],
    ) -> None:
        """Watch what `counts` and `stats` return; `now` returns seconds."""
        self.stopping = False
        self.ended_by: RestreamError | None = None
        self._counts = counts
        self._stats = stats
        self._total = total
        self._now = now
        self._start = now()
        self._marks = deque([(self._start, 0)])

    def read(self, *, over: bool = False) -> Snapshot:
        """Return how it stands; `over` where the run has ended."""
        totals = Totals.of(self._counts(), self.ended_by)
        done = totals.done
        now = self._now()
        while len(self._marks) > 1 and now - self._marks[0][0] > _WINDOW:
            self._marks.popleft()
        since, before = (self._start, 0) if over else self._marks[0]
        rate = (done - before) / (now - since) if now > since else None
        self._marks.append((now, done))
        stats = self._stats()
        # Nobody knows when a service that is gone comes back.
        going = done < self._total and not over and not self.stopping and stats.state == "closed"
        return Snapshot(
            total=self._total,
            totals=totals,
            stats=stats,
            elapsed=now - self._start,
            rate=rate,
            left=(self._total - done) / rate if rate and going else None,
            over=over,
            stopping=self.stopping,
        )
