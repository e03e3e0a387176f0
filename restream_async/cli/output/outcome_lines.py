"""Private: an outcome as a line of JSON for machines, without stream keys and stream URLs."""

import json
from typing import Any, Final

from restream_async import ApiError, Created, Origin, Outcome, OutcomeUnknownError
from restream_async.cli.errors import in_cli_words
from restream_async.cli.output.outcome_totals import is_not_sent

_BEFORE_THIS_RUN: Final = frozenset({Origin.EXISTING, Origin.JOURNAL})


def outcome_line(outcome: Outcome, line: int) -> str:
    """Return an outcome as JSON in ASCII, which cannot steer a terminal either.

    Args:
        outcome: the outcome of a restream.
        line: its line in the input.

    """
    fields: dict[str, Any] = {
        "line": line,
        "index": outcome.index,
        "outcome": outcome_word(outcome),
    }
    if isinstance(outcome, Created):
        restream = outcome.restream
        fields |= {
            "id": restream.id,
            "videoId": restream.video_id,
            "title": restream.title,
            "status": restream.status,
            "differences": outcome.differences,
            "origin": outcome.origin.value,
            "attempts": outcome.attempts,
            "maybeDuplicate": outcome.maybe_duplicate,
        }
    else:
        error = outcome.error
        fields |= {
            "videoId": outcome.request.video_id,
            "title": outcome.request.title,
            "errorType": type(error).__name__,
            "error": in_cli_words(error),
            "attempts": outcome.attempts,
        }
        if isinstance(error, ApiError):
            # `status` is the boolean of a restream.
            fields["httpStatus"] = error.status
    return json.dumps(fields)


def outcome_word(outcome: Outcome) -> str:
    """Return what a line says of an outcome, such as `created`."""
    if isinstance(outcome, Created):
        return "existing" if outcome.origin in _BEFORE_THIS_RUN else "created"
    if is_not_sent(outcome):
        return "not_sent"
    return "unknown" if isinstance(outcome.error, OutcomeUnknownError) else "failed"
