"""Failures that a test plans for the next requests. They come before random faults."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import attrs

from restream_async.sandbox.faults import Fault, check_header_value, check_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

CallName = Literal["create", "list", "toggle", "delete"]

_BY_STATUS: Final = {
    HTTPStatus.INTERNAL_SERVER_ERROR: Fault.INTERNAL_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE: Fault.BACKEND_FETCH_FAILED,
}
_WITH_RETRY_AFTER: Final = {Fault.BACKEND_FETCH_FAILED, HTTPStatus.TOO_MANY_REQUESTS}


def _kind(failure: Fault | int) -> Fault | HTTPStatus:
    if isinstance(failure, Fault):
        return failure
    try:
        status = HTTPStatus(failure)
    except ValueError:
        status = HTTPStatus.OK
    if status < HTTPStatus.BAD_REQUEST:
        raise ValueError(f"a failure is a Fault, or a status from 400 to 599, not {failure!r}")
    return _BY_STATUS.get(status, status)


def _call(_: PlannedFailure, field: attrs.Attribute[Any], value: CallName | None) -> None:
    if value is not None and value not in get_args(CallName):
        names = ", ".join(map(repr, get_args(CallName)))
        raise ValueError(f"{field.name} must be None or one of {names}, not {value!r}")


def _after_effect(failure: PlannedFailure, _: attrs.Attribute[Any], value: bool) -> None:  # noqa: FBT001 - attrs hands it over
    if value and failure.call == "list":
        raise ValueError("after_effect: a list has no effect")
    if value and isinstance(failure.kind, HTTPStatus) and failure.kind < 500:  # noqa: PLR2004 - the first status of a server error
        raise ValueError(f"after_effect: {failure.kind.value} means that nothing was done")


def _at_least_one(_: PlannedFailure, field: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"{field.name} must be >= 1, not {value!r}")


def _retry_after(failure: PlannedFailure, field: attrs.Attribute[Any], value: str | None) -> None:
    check_header_value(failure, field, value)
    if value is not None and failure.kind not in _WITH_RETRY_AFTER:
        raise ValueError("retry_after: only a 503 page and a 429 have it")


@attrs.frozen(kw_only=True)
class PlannedFailure:
    """How the next requests of a kind fail. `str` says it in words."""

    kind: Fault | HTTPStatus = attrs.field(converter=_kind)
    """What the client gets."""
    call: CallName | None = attrs.field(default=None, validator=_call)
    """Which requests fail; None: any."""
    video_id: str | None = None
    """The live video whose requests fail; None: any."""
    after_effect: bool = attrs.field(default=False, validator=_after_effect)
    """Whether the request is done before its answer is lost. Lists do not count then."""
    times: int = attrs.field(default=1, validator=_at_least_one)
    """How many requests are still to fail."""
    retry_after: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(str),
        validator=_retry_after,
    )
    """The `Retry-After` of a 503 page or a 429; None: that of `Faults.retry_after`."""
    latency: float = attrs.field(default=0.0, validator=check_seconds)
    """Seconds until the failure reaches the client; 0 for `Fault.HANG`: `Faults.hang_seconds`."""

    def __str__(self) -> str:
        """Return it in words."""
        kind = self.kind
        words = [kind.name if isinstance(kind, Fault) else f"{kind.value} {kind.phrase}"]
        words.append(f"at the next {self.call or 'request'}")
        if self.video_id is not None:
            words.append(f"of video {self.video_id!r}")
        if self.after_effect:
            words.append("after its effect")
        if self.times > 1:
            words.append(f"({self.times} times)")
        return " ".join(words)


def _meets(failure: PlannedFailure, call: CallName, video_id: str) -> bool:
    return (
        (failure.call is None or failure.call == call)
        and (failure.video_id is None or failure.video_id == video_id)
        and not (failure.after_effect and call == "list")
    )


class PlannedFailures:
    """All failures that are still to come, in the order in which they were planned."""

    def __init__(self) -> None:
        """Start with none."""
        self._planned: list[PlannedFailure] = []

    @property
    def pending(self) -> tuple[PlannedFailure, ...]:
        """Those that no request has met yet."""
        return tuple(self._planned)

    def add(self, failure: PlannedFailure) -> None:
        """Plan one more, after all others."""
        self._planned.append(failure)

    def clear(self) -> None:
        """Forget all."""
        self._planned.clear()

    def take(self, call: CallName, video_id: str) -> PlannedFailure | None:
        """Return the first failure that a request meets, and use it up once."""
        for place, failure in enumerate(self._planned):
            if _meets(failure, call, video_id):
                rest = [attrs.evolve(failure, times=failure.times - 1)] if failure.times > 1 else []
                self._planned[place : place + 1] = rest
                return failure
        return None


def in_words(failures: Iterable[PlannedFailure]) -> str:
    """Return failures as a list in a text, one a line."""
    return "".join(f"\n  {failure}" for failure in failures)
