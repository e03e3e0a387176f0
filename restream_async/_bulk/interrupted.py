"""Private: how calls and items end that a stopped run does not finish."""

from typing import Final

from restream_async._operations.create_result import CreateFailed, Doubt
from restream_async.errors import Call, NotSentError, OutcomeUnknownError, TransportError

_UNKNOWN_NOTE: Final = "list the restreams of the video before creating it again"
_EARLIER_DOUBT: Final = "an earlier run ended before it noted an outcome"
_EARLIER_NOTE: Final = "this run ended before it was checked; run again to find out"


def interrupted_error(
    call: Call, *, in_doubt: bool, note: str
) -> NotSentError | OutcomeUnknownError:
    """Return the error of a call that its run does not finish.

    Args:
        call: the call.
        in_doubt: whether it may have taken effect.
        note: what to do about it in that case.

    """
    if not in_doubt:
        return NotSentError(call, detail="its run ended before it was sent", sent=False)
    doubt = TransportError(call, detail="its run ended before the answer came", sent=True)
    return OutcomeUnknownError(call, doubt=doubt, attempts=1, note=note)


def interrupted_creation(call: Call, *, in_doubt: bool) -> CreateFailed:
    """Return the end of a creation that its run does not finish."""
    error = interrupted_error(call, in_doubt=in_doubt, note=_UNKNOWN_NOTE)
    doubt = Doubt(absent_before=False) if in_doubt else None
    return CreateFailed(error=error, attempts=int(in_doubt), doubt=doubt)


def unsent_creation(call: Call, *, in_doubt: bool) -> CreateFailed:
    """Return the end of a creation that its run does not begin.

    If an earlier run left it `in_doubt`, the next run checks whether the restream exists.
    """
    if not in_doubt:
        return interrupted_creation(call, in_doubt=False)
    doubt = TransportError(call, detail=_EARLIER_DOUBT, sent=True)
    error = OutcomeUnknownError(call, doubt=doubt, note=_EARLIER_NOTE)
    return CreateFailed(error=error, attempts=0)
