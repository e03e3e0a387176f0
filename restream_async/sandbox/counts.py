"""What has happened in a sandbox so far, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from restream_async.sandbox.fault_schedule import Phase, ScheduledFault
from restream_async.sandbox.requests import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

    from restream_async.sandbox.faults import Fault


@attrs.frozen(kw_only=True)
class FaultCounts:
    """How many faults requests have met, by phase and kind. Kinds that none has met are absent."""

    before: Mapping[Fault | HTTPStatus, int]
    after: Mapping[Fault | HTTPStatus, int]
    late: int
    listing: Mapping[Fault | HTTPStatus, int]
    other: Mapping[Fault | HTTPStatus, int]

    @property
    def total(self) -> int:
        """All of them together."""
        kinds = (self.before, self.after, self.listing, self.other)
        return self.late + sum(sum(kind.values()) for kind in kinds)


@attrs.frozen(kw_only=True)
class Counts:
    """A snapshot of what a sandbox has seen.

    `posts`, `lists`, `toggles` and `deletes` count all requests that arrived, also those that were
    shed, limited, refused or failed.
    """

    posts: int
    lists: int
    toggles: int
    deletes: int
    stored: int
    """Restreams that exist now."""
    shed: int
    """Requests that got the 503 page because all slots and the queue were full."""
    limited: int
    """Requests that got a 429 because of the rate limit."""
    faults: FaultCounts
    in_flight: int
    """Requests that are not answered yet: served, waiting or hanging."""
    max_in_flight: int
    """The highest `in_flight` so far."""


class CountsRecorder:
    """Counts requests and faults."""

    def __init__(self) -> None:
        """Start at 0."""
        self.shed = 0
        self.limited = 0
        self._in_flight = 0
        self._max_in_flight = 0
        self._requests: Counter[Endpoint] = Counter()
        self._faults: Counter[tuple[Phase, Fault | HTTPStatus]] = Counter()

    def started(self, endpoint: Endpoint) -> None:
        """Count a request that has arrived."""
        self._requests[endpoint] += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)

    def ended(self) -> None:
        """Count a request that is answered, or whose client has left."""
        self._in_flight -= 1

    def met(self, fault: ScheduledFault) -> None:
        """Count a fault that a request has met."""
        self._faults[fault.phase, fault.kind] += 1

    def snapshot(self, *, stored: int) -> Counts:
        """Return the numbers as they are now."""

        def by_kind(*phases: Phase) -> dict[Fault | HTTPStatus, int]:
            counted: Counter[Fault | HTTPStatus] = Counter()
            for (phase, kind), count in self._faults.items():
                if phase in phases:
                    counted[kind] += count
            return dict(counted)

        return Counts(
            posts=self._requests[Endpoint.CREATE],
            lists=self._requests[Endpoint.LIST],
            toggles=self._requests[Endpoint.TOGGLE],
            deletes=self._requests[Endpoint.DELETE],
            stored=stored,
            shed=self.shed,
            limited=self.limited,
            faults=FaultCounts(
                before=by_kind(Phase.BEFORE),
                after=by_kind(Phase.AFTER),
                late=sum(by_kind(Phase.LATE).values()),
                listing=by_kind(Phase.LISTING),
                other=by_kind(Phase.OTHER, Phase.OTHER_BEFORE),
            ),
            in_flight=self._in_flight,
            max_in_flight=self._max_in_flight,
        )
