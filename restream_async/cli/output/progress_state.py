"""Private: how far a run is, and how fast. No clock of its own, no terminal."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from restream_async._bulk.report import BulkCounts
from restream_async.cli.errors import outage_of
from restream_async.cli.output.outcome_totals import Totals
from restream_async.stats import Stats

if TYPE_CHECKING:
    from restream_async import RestreamError

# Seconds over which the rate is averaged: long enough to be steady, short enough to be current.
_WINDOW: Final = 5.0


@attrs.frozen(kw_only=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        total: how many restreams there are to create.
        totals: the outcomes so far.
        stats: what the client is doing.
        elapsed: seconds since the start.
        rate: outcomes per second over the last seconds; over the whole run once it has ended.
        time_left: seconds until all is done, at that rate; None if it cannot be known.
        over: whether the run has ended.
        stopping: whether the run was asked to stop.

    """

    total: int
    totals: Totals
    stats: Stats
    elapsed: float
    rate: float | None
    time_left: float | None
    over: bool
    stopping: bool = False

    @property
    def done(self) -> int:
        """How many are done."""
        return self.totals.done

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return self.done / self.total

    @property
    def reconciling(self) -> bool:
        """Whether all is sent, and the run checks those whose answer was lost once more."""
        return self.done == self.total and not self.over

    @property
    def outage(self) -> str:
        """Why the run waits for the service, or an empty text."""
        return "" if self.over else outage_of(self.stats, any_success=self.stats.reached)


class ProgressMeter:
    """Takes snapshots of a run.

    Attributes:
        stopping: whether the run was asked to stop.
        ended_by: the error that ended the run early, or None.

    """

    def __init__(
        self,
        counts: Callable[[], BulkCounts],
        stats: Callable[[], Stats],
        *,
        total: int,
        now: Callable[[], float],
    ) -> None:
        """Read `counts` and `stats` for each snapshot; `now` returns seconds."""
        self.stopping = False
        self.ended_by: RestreamError | None = None
        self._counts = counts
        self._stats = stats
        self._total = total
        self._now = now
        self._start = now()
        self._history = deque([(self._start, 0)])

    def read(self, *, over: bool = False) -> Snapshot:
        """Take a snapshot; `over` says whether the run has ended."""
        totals = Totals.of(self._counts(), self.ended_by)
        done = totals.done
        now = self._now()
        while len(self._history) > 1 and now - self._history[0][0] > _WINDOW:
            self._history.popleft()
        since, before = (self._start, 0) if over else self._history[0]
        rate = (done - before) / (now - since) if now > since else None
        self._history.append((now, done))
        stats = self._stats()
        # It cannot be known how long an outage lasts.
        is_steady = (
            done < self._total and not over and not self.stopping and stats.state == "closed"
        )
        return Snapshot(
            total=self._total,
            totals=totals,
            stats=stats,
            elapsed=now - self._start,
            rate=rate,
            time_left=(self._total - done) / rate if rate and is_steady else None,
            over=over,
            stopping=self.stopping,
        )
