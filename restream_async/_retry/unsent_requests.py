"""Private: the failures of requests that were not sent: outage, deadline, stop."""

from typing import Final

from restream_async._load.concurrency_limiter import ConcurrencyLimiter
from restream_async._retry.classification import Classification, Failure
from restream_async._retry.deadline import Deadline
from restream_async.errors import AttemptTimeoutError, Call, NotSentError, OutageError

_OUTAGE_NOTE: Final = "try again when the service is back"
_NEVER_REACHED_NOTE: Final = "check base_url and the network"


def service_is_out(limiter: ConcurrencyLimiter, call: Call, attempts: int = 0) -> Failure:
    """Return the failure of a call that is not sent because of an outage."""
    last = limiter.last
    advice = last.note if last is not None else ""
    note = _OUTAGE_NOTE if limiter.reached else advice or _NEVER_REACHED_NOTE
    error = OutageError(call, reached=limiter.reached, last=last, attempts=attempts, note=note)
    return Failure(Classification.REFUSED, error)


def not_sent(call: Call, attempts: int = 0) -> Failure:
    """Return the failure of a call that was stopped before it was sent, or sent again."""
    detail = "stopped before it was sent" + (" again" if attempts else "")
    error = NotSentError(call, detail=detail, sent=False, attempts=attempts)
    return Failure(Classification.NOT_DONE, error)


def too_late(limiter: ConcurrencyLimiter, call: Call, deadline: Deadline, detail: str) -> Failure:
    """Return the failure of a request that was not sent before the deadline, and why."""
    if deadline.stop.requested:
        return not_sent(call)
    if limiter.state == "open":
        return service_is_out(limiter, call)
    error = AttemptTimeoutError(call, detail=detail, sent=False)
    return Failure(Classification.NOT_DONE, error)
