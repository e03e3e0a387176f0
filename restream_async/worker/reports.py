"""What is told to others about a message: outcomes, and dead letters. JSON, without any secret.

A dead letter does not hold the message that it is about, because that holds a stream key. It says
which one it was: by its id and place in the stream, the video, the title and the reason.
"""

import json
from datetime import datetime
from typing import Any, Final

import attrs

from restream_async._util.redaction import clean, redact, redact_values
from restream_async.errors import ApiError
from restream_async.models import Created, NewRestream, Origin
from restream_async.worker.commands import Item
from restream_async.worker.handling import Handled, Refused

# Characters of one text. A report must be far smaller than the largest message that a server takes,
# whatever the command held, or it could never be told.
_LONGEST: Final = 2000


@attrs.frozen(kw_only=True)
class Source:
    """Where a message came from.

    Attributes:
        stream: the name of its stream.
        sequence: its number there.
        stored: when the stream got it. A stream that was lost and made again numbers its messages
            from 1 again; with the time, a message is never taken for an earlier one.
        delivery: which delivery of it this was, from 1.
        message_id: what its sender named it, or None.

    """

    stream: str
    sequence: int
    stored: datetime
    delivery: int
    message_id: str | None


@attrs.frozen(kw_only=True)
class Report:
    """A text for a subject.

    Attributes:
        is_dead_letter: whether it belongs to the dead letters too, besides the outcomes.
        message_id: by which a repeated one is known: the same message may be worked off twice.
        body: JSON.

    """

    is_dead_letter: bool
    message_id: str
    body: bytes


def reports(handled: Handled, source: Source) -> list[Report]:
    """Return what to tell about a message that is done with; nothing about one that comes again."""
    if handled.again is not None:
        return []
    return [
        *(_report(source, each.index, _created(each), dead=False) for each in handled.done),
        *(_report(source, each.index, _failed(each), dead=True) for each in handled.refused),
    ]


def summary(handled: Handled) -> str:
    """Return in one line what became of a message that is done with, without any secret."""
    existed = sum(each.origin is Origin.EXISTING for each in handled.done)
    counts = {
        "created": len(handled.done) - existed,
        "existed already": existed,
        "not created": len(handled.refused),
    }
    # An event has no items of its own: it became commands.
    said = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "carried out"
    items = [*(each.request for each in handled.done), *map(_item, handled.refused)]
    videos = {_shown(item).get("videoId") for item in items} - {None}
    return said + (f" (video {videos.pop()})" if len(videos) == 1 else "")


def _report(source: Source, index: int, fields: dict[str, Any], *, dead: bool) -> Report:
    about = {
        "stream": source.stream,
        "sequence": source.sequence,
        "index": index,
        "delivery": source.delivery,
        "messageId": source.message_id and clean(source.message_id, _LONGEST),
    }
    return Report(
        is_dead_letter=dead,
        message_id=f"{source.stream}:{source.sequence}:{source.stored.timestamp():.6f}:{index}",
        body=json.dumps({**fields, **about}).encode(),
    )


def _created(done: Created) -> dict[str, Any]:
    return {
        "outcome": "created",
        "id": done.restream.id,
        **_shown(done.request),
        "status": done.restream.status,
        "origin": done.origin.value,
        "maybeDuplicate": done.maybe_duplicate,
        "attempts": done.attempts,
    }


def _failed(refused: Refused) -> dict[str, Any]:
    failed = refused.failed
    if failed is None:
        return {
            "outcome": "failed",
            **_shown(_item(refused)),
            "errorType": "UnusableMessage",
            "error": clean(refused.reason, _LONGEST),
            "httpStatus": None,
            "attempts": 0,
        }
    return {
        "outcome": "failed",
        **_shown(_item(refused)),
        "errorType": type(failed.error).__name__,
        "error": clean(redact(refused.reason, failed.request.secrets), _LONGEST),
        "httpStatus": failed.error.status if isinstance(failed.error, ApiError) else None,
        "attempts": failed.attempts,
    }


def _item(refused: Refused) -> Item | None:
    return refused.item if refused.failed is None else refused.failed.request


def _shown(item: Item | None) -> dict[str, Any]:
    if item is None:
        return {}
    secrets = item.secrets if isinstance(item, NewRestream) else ()
    shown = redact_values((item.video_id, item.title), secrets)
    video_id, title = (clean(str(text), _LONGEST) for text in shown)
    fields = {"videoId": video_id, "title": title}
    if isinstance(item, NewRestream):
        return fields
    return {name: text for name, text in fields.items() if text}
