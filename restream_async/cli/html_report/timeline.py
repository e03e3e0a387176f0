"""Private: what a run did over time, in so many intervals at most, however long it takes."""

from typing import Final

import attrs

from restream_async.stats import Stats

# As many as a wide chart can show. With more, each two become one.
_MOST_INTERVALS: Final = 120


@attrs.define
class Interval:
    """What happened between two moments, in seconds since the start of the run.

    Attributes:
        start: its begin.
        end: its end.
        done: how many items ended well.
        failed: how many items failed.
        in_flight: requests in flight, on average.
        limit: the concurrency limit, on average.

    """

    start: float
    end: float
    done: int
    failed: int
    in_flight: float
    limit: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def extend(self, after: "Interval") -> None:
        """Add the interval that follows."""
        share = after.seconds / (after.end - self.start)
        self.in_flight += (after.in_flight - self.in_flight) * share
        self.limit += (after.limit - self.limit) * share
        self.end = after.end
        self.done += after.done
        self.failed += after.failed


@attrs.define
class Outage:
    """When the circuit breaker was open, in seconds since the start of the run."""

    start: float
    end: float


class Timeline:
    """Collects samples of a run.

    Attributes:
        intervals: what happened, without gaps.
        outages: when the circuit breaker was open.

    """

    def __init__(self) -> None:
        """Begin empty, at 0 seconds."""
        self.intervals: list[Interval] = []
        self.outages: list[Outage] = []
        self._width = 0.0
        self._moment = 0.0
        self._done = 0
        self._failed = 0
        self._was_open = False

    def sample(self, moment: float, done: int, failed: int, stats: Stats) -> None:
        """Add what is known at a moment.

        Args:
            moment: seconds since the start.
            done: how many items have ended well so far.
            failed: how many items have failed so far.
            stats: what the client is doing.

        """
        if moment <= self._moment:
            return
        self._add(
            Interval(
                start=self._moment,
                end=moment,
                done=done - self._done,
                failed=failed - self._failed,
                in_flight=stats.in_flight,
                limit=stats.limit,
            )
        )
        self._note_outage(moment, is_open=stats.state == "open")
        self._moment, self._done, self._failed = moment, done, failed

    def _add(self, new: Interval) -> None:
        intervals = self.intervals
        if intervals and new.end - intervals[-1].start <= self._width:
            intervals[-1].extend(new)
            return
        intervals.append(new)
        if len(intervals) > _MOST_INTERVALS:
            for first, second in zip(intervals[::2], intervals[1::2], strict=False):
                first.extend(second)
            del intervals[1::2]
            self._width = new.end / len(intervals)

    def _note_outage(self, moment: float, *, is_open: bool) -> None:
        if is_open and not self._was_open:
            self.outages.append(Outage(self._moment, moment))
        elif is_open or self._was_open:
            self.outages[-1].end = moment
        self._was_open = is_open
