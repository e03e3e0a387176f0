"""Private: the result of one check."""

import enum

import attrs


class Status(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but the user should know something."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be made, or it does not apply."""


@attrs.frozen(kw_only=True)
class Result:
    """The result of one check. No text holds a secret.

    Attributes:
        check: the name of the check.
        status: how it ended.
        detail: what was found.
        advice: what to do; empty if there is nothing to do.

    """

    check: str
    status: Status
    detail: str
    advice: str = ""


@attrs.frozen
class Finding:
    """What a check found: a result that does not know its name yet."""

    status: Status
    detail: str
    advice: str = ""


def ok(detail: str) -> Finding:
    """Return that a check succeeded."""
    return Finding(Status.OK, detail)


def warning(detail: str, advice: str) -> Finding:
    """Return that a check succeeded, with something to do."""
    return Finding(Status.WARNING, detail, advice)


def failed(detail: str, advice: str) -> Finding:
    """Return that a check failed, and what to do."""
    return Finding(Status.FAILED, detail, advice)


def skipped(reason: str) -> Finding:
    """Return why a check was not made."""
    return Finding(Status.SKIPPED, reason)


def duration(seconds: float) -> str:
    """Return for example `12 ms` or `2.5 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
