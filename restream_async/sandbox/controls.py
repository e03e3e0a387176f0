"""What a test sees of a service, and how it makes the service fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from restream_async.sandbox.planned_failures import PlannedFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from restream_async.sandbox.counts import Counts
    from restream_async.sandbox.faults import Fault, Faults
    from restream_async.sandbox.planned_failures import CallName
    from restream_async.sandbox.restream_store import Stored
    from restream_async.sandbox.service import Service

T = TypeVar("T")


class Controls:
    """The controls of one service, with or without a network."""

    def __init__(self, service: Service) -> None:
        """Control `service`."""
        self._service = service

    @property
    def api_key(self) -> str:
        """The key that requests must have."""
        return self._service.api_key

    @property
    def project_id(self) -> str:
        """The project that requests must be about."""
        return self._service.project_id

    @property
    def stored(self) -> tuple[Stored, ...]:
        """Every restream that exists now, in order of creation."""
        return self._call(self._service.store.all)

    @property
    def counts(self) -> Counts:
        """What has happened so far, in numbers."""
        service = self._service
        return self._call(lambda: service.counts.snapshot(stored=len(service.store)))

    def duplicates(self) -> tuple[tuple[Stored, ...], ...]:
        """Return the groups of restreams that share video, stream URL and stream key."""
        return self._call(self._service.store.duplicates)

    @property
    def outage(self) -> bool:
        """Whether every request gets the 503 page and has no effect; False at first."""
        return self._service.outage

    @outage.setter
    def outage(self, outage: bool) -> None:
        self._service.outage = outage

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; may be replaced at any time."""
        return self._service.schedule.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._service.schedule.faults = faults

    def fail_next(  # noqa: PLR0913 - each says which request fails, or how
        self,
        failure: Fault | int,
        *,
        call: CallName | None = None,
        video_id: str | None = None,
        times: int = 1,
        after_effect: bool = False,
        retry_after: str | int | None = None,
        latency: float = 0.0,
    ) -> None:
        """Make the next request fail, or the next that `call` and `video_id` describe.

        Planned failures come before those of `faults`. Each request meets the first one that is for
        it, in the order in which they were planned. A request that the service refuses anyway uses
        up none: a wrong key, a wrong project, a body that cannot be used, a restream that does not
        exist. Nor does one that an outage, the capacity or the rate limit keeps from the service.

        Args:
            failure: a `Fault`, or an HTTP status from 400 to 599. 503 is the page of the cache.
            call: "create", "list", "toggle" or "delete"; None for any of them.
            video_id: the live video that the request is about; None for any.
            times: how many requests fail.
            after_effect: whether the request is done before its answer is lost. Lists have no
                effect, so they do not count then.
            retry_after: the `Retry-After` of a 503 or 429; None for that of `faults`.
            latency: seconds until the failure reaches the client. For `Fault.HANG`, how long it
                hangs; 0 for `Faults.hang_seconds`.

        Raises:
            ValueError: a value is out of its range, or contradicts another one.

        """
        planned = PlannedFailure(
            kind=failure,
            call=call,
            video_id=video_id,
            times=times,
            after_effect=after_effect,
            retry_after=retry_after,
            latency=latency,
        )
        self._call(lambda: self._service.schedule.planned.add(planned))

    @property
    def pending_failures(self) -> tuple[PlannedFailure, ...]:
        """The failures of `fail_next` that no request has met yet."""
        return self._call(lambda: self._service.schedule.planned.pending)

    def clear_failures(self) -> None:
        """Forget the failures of `fail_next` that no request has met yet."""
        self._call(self._service.schedule.planned.clear)

    def _call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread of the service."""
        return function()
