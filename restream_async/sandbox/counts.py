"""What has happened so far, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from restream_async.sandbox.fault_schedule import Phase, ScheduledFault
from restream_async.sandbox.requests import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from restream_async.sandbox.faults import Fault


@attrs.frozen(kw_only=True)
class FaultCounts:
    """How many faults have struck, by when and by kind. Kinds that never struck are absent."""

    before: Mapping[Fault, int]
    after: Mapping[Fault, int]
    late: int
    listing: Mapping[Fault, int]
    other: Mapping[Fault, int]

    @property
    def total(self) -> int:
        """All of them together."""
        kinds = (self.before, self.after, self.listing, self.other)
        return self.late + sum(sum(kind.values()) for kind in kinds)


@attrs.frozen(kw_only=True)
class Counts:
    """A snapshot of what a sandbox has seen.

    `posts`, `lists`, `toggles` and `deletes` are requests that arrived, whatever became of
    them (shed, limited, refused or failed ones too).
    """

    posts: int
    lists: int
    toggles: int
    deletes: int
    stored: int
    """Restreams that exist now."""
    shed: int
    """Requests turned away because all places, and the queue, were taken."""
    limited: int
    """Requests turned away because of the rate limit."""
    faults: FaultCounts
    in_flight: int
    """Requests that have arrived and are not answered yet: served, waiting or hanging."""
    max_in_flight: int
    """The highest `in_flight` so far."""


class CountsRecorder:
    """Counts as it goes."""

    def __init__(self) -> None:
        """Start at nought."""
        self.shed = 0
        self.limited = 0
        self._in_flight = 0
        self._max_in_flight = 0
        self._calls: Counter[Endpoint] = Counter()
        self._mishaps: Counter[ScheduledFault] = Counter()

    def arrived(self, endpoint: Endpoint) -> None:
        """Note a request that has come in."""
        self._calls[endpoint] += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def left(self) -> None:
        """Note a request that is answered, or whose client has gone."""
        self._in_flight -= 1

    def struck(self, mishap: ScheduledFault) -> None:
        """Note a fault."""
        self._mishaps[mishap] += 1

    def snapshot(self, *, stored: int) -> Counts:
        """Return the numbers as they are now."""

        def by_kind(phase: Phase) -> dict[Fault, int]:
            return {m.fault: n for m, n in self._mishaps.items() if m.phase is phase}

        return Counts(
            posts=self._calls[Endpoint.CREATE],
            lists=self._calls[Endpoint.LIST],
            toggles=self._calls[Endpoint.TOGGLE],
            deletes=self._calls[Endpoint.DELETE],
            stored=stored,
            shed=self.shed,
            limited=self.limited,
            faults=FaultCounts(
                before=by_kind(Phase.BEFORE),
                after=by_kind(Phase.AFTER),
                late=sum(by_kind(Phase.LATE).values()),
                listing=by_kind(Phase.LISTING),
                other=by_kind(Phase.OTHER),
            ),
            in_flight=self._in_flight,
            max_in_flight=self._max_in_flight,
        )
