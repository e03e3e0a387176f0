"""Private: a change as a line of JSON for machines, without stream keys and stream URLs."""

import json
from typing import Any

from restream_async import ApiError
from restream_async._util.redaction import host_of
from restream_async.changes import Change
from restream_async.cli.errors import in_cli_words
from restream_async.cli.output.change_totals import is_in_sync, result_of


def change_line(change: Change, *, applied: bool) -> str:
    """Return a change as JSON in ASCII, which cannot steer a terminal either.

    Args:
        change: what is to be done, or its result.
        applied: whether the change comes from `apply`, which adds its `outcome`.

    """
    wanted, existing, error = change.wanted, change.existing, change.error
    fields: dict[str, Any] = {
        "action": change.action.value,
        "videoId": change.video_id,
        "title": change.title,
        "host": host_shown(change),
        "wantedStatus": None if wanted is None else wanted.status,
        "id": None if existing is None else existing.id,
        "status": None if existing is None else existing.status,
        "differences": change.differences,
        "extra": change.is_extra,
        "duplicate": change.is_duplicate,
        "unclear": change.is_unclear,
        "needs": change.needs,
        "inSync": is_in_sync(change, applied=applied),
    }
    if applied:
        fields["outcome"] = result_of(change).value
    if error is not None:
        fields |= {"errorType": type(error).__name__, "error": in_cli_words(error)}
    if isinstance(error, ApiError):
        # `status` is the boolean of a restream.
        fields["httpStatus"] = error.status
    return json.dumps(fields)


def host_shown(change: Change) -> str | None:
    """Return the host that a change is about: as wanted, else as the service shows it."""
    urls = [each.stream_url for each in (change.wanted, change.existing) if each is not None]
    return next(filter(None, map(host_of, urls)), None)
