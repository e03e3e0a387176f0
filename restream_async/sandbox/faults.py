"""Faults: what can go wrong, and how often."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Fault(enum.Enum):
    """One way in which the service fails a request."""

    INTERNAL_ERROR = "internal_error"
    """500 with the service's own envelope."""
    BACKEND_FETCH_FAILED = "backend_fetch_failed"
    """503 with the HTML page of the cache in front of the service."""
    RESET = "reset"
    """The connection is reset (TCP RST) without an answer."""
    TRUNCATED = "truncated"
    """The head of an answer and half of its body, then the connection is closed."""
    GARBAGE = "garbage"
    """200 with bytes that are not JSON."""
    HANG = "hang"
    """No answer until the client leaves, or for `Faults.hang_seconds`."""


# Ten times 0.1 adds up to slightly more than 1.
_ROUNDING = 1e-9


def _no_faults() -> Mapping[Fault, float]:
    return {}


def _own_copy(probabilities: Mapping[Fault, float]) -> Mapping[Fault, float]:
    # A plain dict, not a read-only view: Faults travels to other processes by pickle.
    return dict(probabilities)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_total(names: str, probabilities: Iterable[float]) -> None:
    total = math.fsum(probabilities)
    if total > 1 + _ROUNDING:
        raise ValueError(f"{names}: the probabilities add up to {total:g}, more than 1")


def _by_kind(_: Faults, field: attrs.Attribute[Any], value: Mapping[Fault, float]) -> None:
    for kind, probability in value.items():
        # For callers without a type checker.
        if not isinstance(kind, Fault):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"{field.name}: {kind!r} is not a Fault")  # noqa: TRY004 - Faults raises one type only
        if not _is_number(probability) or not 0 <= probability <= 1:
            raise ValueError(f"{field.name}: {kind.name} must be from 0 to 1, not {probability!r}")
    _check_total(field.name, value.values())


def _probability(_: Faults, field: attrs.Attribute[Any], value: float) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{field.name} must be from 0 to 1, not {value!r}")


def check_seconds(_: object, field: attrs.Attribute[Any], value: float) -> None:
    """Check a field with seconds. Raises `ValueError`."""
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{field.name} must be a finite number of seconds >= 0, not {value!r}")


def check_header_value(_: object, field: attrs.Attribute[Any], value: str | None) -> None:
    """Check a field with the value of a header. Raises `ValueError`."""
    if value is not None and not (value.isascii() and value.isprintable()):
        raise ValueError(f"{field.name} must be printable ASCII, not {value!r}")


def _bound(_: Faults, field: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"{field.name} must be None or >= 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Faults:
    """How often requests fail, and how. By default none fails.

    The sandbox's seed decides which requests fail, so that every client meets the same faults.
    Raises `ValueError`, naming the field, for a probability outside 0 to 1, for probabilities that
    add up to more than 1 (`before`, `after` and `late` together), and for negative or infinite
    seconds.
    """

    before: Mapping[Fault, float] = attrs.field(
        factory=_no_faults, converter=_own_copy, validator=_by_kind
    )
    """Probability, by kind, that a creation fails before anything is stored."""
    after: Mapping[Fault, float] = attrs.field(
        factory=_no_faults, converter=_own_copy, validator=_by_kind
    )
    """Probability, by kind, that a creation is stored and its answer is lost."""
    late: float = attrs.field(default=0.0, validator=_probability)
    """Probability that a creation is answered with 503, and stored afterwards."""
    late_by: float = attrs.field(default=0.2, validator=check_seconds)
    """Seconds between that 503 and the storing."""
    listing: Mapping[Fault, float] = attrs.field(
        factory=_no_faults, converter=_own_copy, validator=_by_kind
    )
    """Probability, by kind, that listing the restreams of a video fails."""
    other: Mapping[Fault, float] = attrs.field(
        factory=_no_faults, converter=_own_copy, validator=_by_kind
    )
    """Probability, by kind, that a toggle or a deletion is done and its answer is lost."""
    retry_after: str | None = attrs.field(default="5", validator=check_header_value)
    """The `Retry-After` of every 503 page, also in outages and without a slot, and of a 429 of
    `Sandbox.fail_next`; None: not sent."""
    hang_seconds: float = attrs.field(default=60.0, validator=check_seconds)
    """Seconds after which `Fault.HANG` ends with the 503 page, as the cache's time-out does."""
    max_faults: int | None = attrs.field(default=None, validator=_bound)
    """The most faults in a row for the same creation, the list of the same video, or the toggle or
    deletion of the same restream. So that many attempts and one more always succeed. None: no
    limit."""

    def __attrs_post_init__(self) -> None:
        """Check the fields that belong together."""
        _check_total(
            "before, after and late", [*self.before.values(), *self.after.values(), self.late]
        )

    @classmethod
    def demo(cls) -> Faults:
        """Return the faults of `restream-async demo`: 5 % before, 8 % after the effect.

        Nothing hangs and no `Retry-After` is sent, so that a thousand creations take seconds.
        """
        kinds = [kind for kind in Fault if kind is not Fault.HANG]
        return cls(
            before=dict.fromkeys(kinds, 0.05 / len(kinds)),
            after=dict.fromkeys(kinds, 0.08 / len(kinds)),
            retry_after=None,
            max_faults=3,
        )
