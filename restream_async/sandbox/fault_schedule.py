"""Which request meets which fault. The seed decides it, never order or time."""

from __future__ import annotations

import enum
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

import attrs

from restream_async.sandbox.faults import Fault, Faults
from restream_async.sandbox.planned_failures import PlannedFailures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from http import HTTPStatus

    from restream_async.sandbox.planned_failures import CallName


class Phase(enum.Enum):
    """When a fault happens: before or after the effect of a creation, or at another call.

    At a toggle or a deletion: `OTHER` after its effect, `OTHER_BEFORE` before it.
    """

    BEFORE = "before"
    AFTER = "after"
    LATE = "late"
    LISTING = "listing"
    OTHER = "other"
    OTHER_BEFORE = "other_before"


_PHASES: Final[Mapping[CallName, tuple[Phase, Phase]]] = {
    "create": (Phase.BEFORE, Phase.AFTER),
    "list": (Phase.LISTING, Phase.LISTING),
    "toggle": (Phase.OTHER_BEFORE, Phase.OTHER),
    "delete": (Phase.OTHER_BEFORE, Phase.OTHER),
}
"""The phases of a planned failure before and after the effect of a call."""


@attrs.frozen
class ScheduledFault:
    """A fault that a request meets."""

    phase: Phase
    kind: Fault | HTTPStatus
    retry_after: str | None = None
    """The `Retry-After` of this fault; None: that of `Faults`."""
    latency: float = 0.0
    """Seconds until it reaches the client; 0 for a hang: `Faults.hang_seconds`."""


@attrs.define
class _History:
    """What the requests with one key have met so far."""

    requests: int = 0
    faults_in_a_row: int = 0


@attrs.frozen
class _Table:
    """Faults, each with the upper end of its share of [0, 1)."""

    rows: tuple[tuple[float, ScheduledFault], ...]

    @classmethod
    def of(cls, shares: Iterable[tuple[ScheduledFault, float]]) -> _Table:
        drawn = [(fault, share) for fault, share in shares if share]
        ends = accumulate(share for _, share in drawn)
        return cls(tuple((end, fault) for end, (fault, _) in zip(ends, drawn, strict=True)))

    def at(self, point: float) -> ScheduledFault | None:
        for end, fault in self.rows:
            if point < end:
                return fault
        return None


def _shares(
    phase: Phase, probabilities: Mapping[Fault, float]
) -> list[tuple[ScheduledFault, float]]:
    # In the order of Fault, so that the order of the settings does not matter.
    return [(ScheduledFault(phase, kind), probabilities.get(kind, 0.0)) for kind in Fault]


def draw(seed: int, key: tuple[str, ...], nth: int) -> float:
    """Return a number in [0, 1) that depends only on the arguments."""
    joined = "\0".join((str(seed), *key, str(nth)))
    # JSON can carry lone surrogates, which plain UTF-8 refuses.
    digest = blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # A float holds 53 bits; more would sometimes round up to 1.0.
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


class FaultSchedule:
    """The faults of one sandbox, request by request."""

    def __init__(self, faults: Faults, seed: int) -> None:
        """Schedule `faults`; equal arguments make equal schedules."""
        self._seed = seed
        self._histories: dict[tuple[str, ...], _History] = {}
        self.planned = PlannedFailures()
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; replacing it keeps the count of requests so far."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._creating = _Table.of(
            [
                *_shares(Phase.BEFORE, faults.before),
                *_shares(Phase.AFTER, faults.after),
                (ScheduledFault(Phase.LATE, Fault.BACKEND_FETCH_FAILED), faults.late),
            ]
        )
        self._listing = _Table.of(_shares(Phase.LISTING, faults.listing))
        self._other = _Table.of(_shares(Phase.OTHER, faults.other))

    def for_create(self, video_id: str, stream_url: str, stream_key: str) -> ScheduledFault | None:
        """Return the fault that the next creation of this stream for this video meets."""
        key = ("create", video_id, stream_url, stream_key)
        return self._next("create", video_id, self._creating, key)

    def for_list(self, video_id: str) -> ScheduledFault | None:
        """Return the fault that the next list of this video meets."""
        return self._next("list", video_id, self._listing, ("list", video_id))

    def for_other(
        self, call: Literal["toggle", "delete"], restream_id: str, video_id: str
    ) -> ScheduledFault | None:
        """Return the fault that the next toggle or deletion of this restream meets."""
        return self._next(call, video_id, self._other, (call, restream_id))

    def _next(
        self, call: CallName, video_id: str, table: _Table, key: tuple[str, ...]
    ) -> ScheduledFault | None:
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = _History()
        history.requests += 1
        fault = self._planned(call, video_id) or self._random(table, key, history)
        history.faults_in_a_row = 0 if fault is None else history.faults_in_a_row + 1
        return fault

    def _planned(self, call: CallName, video_id: str) -> ScheduledFault | None:
        failure = self.planned.take(call, video_id)
        if failure is None:
            return None
        before, after = _PHASES[call]
        phase = after if failure.after_effect else before
        return ScheduledFault(phase, failure.kind, failure.retry_after, failure.latency)

    def _random(
        self, table: _Table, key: tuple[str, ...], history: _History
    ) -> ScheduledFault | None:
        bound = self._faults.max_faults
        if not table.rows or (bound is not None and history.faults_in_a_row >= bound):
            return None
        return table.at(draw(self._seed, key, history.requests))
