"""Reports about a message: outcomes and dead letters. JSON, without any secret.

A dead letter does not hold the message that it is about, because that holds a stream key. It names
the message by its id and its number in the stream, and gives the video, the title and the reason.
"""

import json
from datetime import datetime
from typing import Any, Final

import attrs

from restream_async._util.redaction import clean, redact, redact_values
from restream_async.errors import ApiError
from restream_async.handling.command_messages import Item
from restream_async.handling.message_handler import DeadItem, Handled
from restream_async.models import Created, NewRestream, Origin

# Characters of one text. A report must stay far below the largest message that a server takes,
# whatever the command holds, or it could never be published.
_MAX_TEXT: Final = 2000


@attrs.frozen(kw_only=True)
class Source:
    """Where a message came from.

    Attributes:
        stream: the name of its stream, queue or topic.
        delivery: the number of this delivery of the message, from 1.
        sequence: its number or id in the stream; empty: the broker gives it none.
        stored: when the stream got it, or None. A stream that was deleted and created again numbers
            its messages from 1 again; the time tells them apart.
        message_id: the id that its sender gave it, or None.

    """

    stream: str
    delivery: int
    sequence: int | str = ""
    stored: datetime | None = None
    message_id: str | None = None


@attrs.frozen(kw_only=True)
class Report:
    """One message about one restream.

    Attributes:
        is_dead_letter: whether it is published with the dead letters too, besides the outcomes.
        message_id: lets the broker drop a repeated report: a message may be processed twice. Tells
            messages apart only if their `Source` has a `sequence`.
        body: JSON, without any secret.
        command: the restream of a dead letter, with its stream key, so that it can be asked for
            again; None: it could not be read, or it is no dead letter.

    """

    is_dead_letter: bool
    message_id: str
    body: bytes
    command: NewRestream | None = None


def reports(handled: Handled, source: Source) -> list[Report]:
    """Return the reports about a processed message, one for each restream.

    None if the message is delivered again: it is reported at its last delivery.
    """
    if handled.delay is not None:
        return []
    return [
        *(_report(source, each.index, _created(each), dead=False) for each in handled.done),
        *(_dead_letter(source, each) for each in handled.dead),
    ]


def summary(handled: Handled) -> str:
    """Return in one line what becomes of a message, without any secret."""
    if handled.delay is not None:
        reason = clean(handled.reason, _MAX_TEXT)
        return f"again in {handled.delay:.3g} s" + (reason and f": {reason}")
    existed = sum(each.origin is Origin.EXISTING for each in handled.done)
    counts = {
        "created": len(handled.done) - existed,
        "existed already": existed,
        "not created": len(handled.dead),
    }
    # An event has no items of its own: it became commands.
    text = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "carried out"
    items = [*(each.request for each in handled.done), *map(_item, handled.dead)]
    videos = {_shown(item).get("videoId") for item in items} - {None}
    return text + (f" (video {videos.pop()})" if len(videos) == 1 else "")


def _report(source: Source, index: int, fields: dict[str, Any], *, dead: bool) -> Report:
    about = {
        "stream": source.stream,
        "sequence": source.sequence,
        "index": index,
        "delivery": source.delivery,
        "messageId": source.message_id and clean(source.message_id, _MAX_TEXT),
    }
    stored = "" if source.stored is None else f"{source.stored.timestamp():.6f}"
    return Report(
        is_dead_letter=dead,
        message_id=f"{source.stream}:{source.sequence}:{stored}:{index}",
        body=json.dumps({**fields, **about}).encode(),
    )


def _dead_letter(source: Source, dead: DeadItem) -> Report:
    item = _item(dead)
    report = _report(source, dead.index, _failed(dead), dead=True)
    return attrs.evolve(report, command=item if isinstance(item, NewRestream) else None)


def _created(created: Created) -> dict[str, Any]:
    return {
        "outcome": "created",
        "id": created.restream.id,
        **_shown(created.request),
        "status": created.restream.status,
        "origin": created.origin.value,
        "maybeDuplicate": created.maybe_duplicate,
        "attempts": created.attempts,
    }


def _failed(dead: DeadItem) -> dict[str, Any]:
    failed = dead.failed
    error = None if failed is None else failed.error
    secrets = () if failed is None else failed.request.secrets
    return {
        "outcome": "failed",
        **_shown(_item(dead)),
        "errorType": "UnusableMessage" if error is None else type(error).__name__,
        "error": clean(redact(dead.reason, secrets), _MAX_TEXT),
        "httpStatus": error.status if isinstance(error, ApiError) else None,
        "attempts": 0 if failed is None else failed.attempts,
    }


def _item(dead: DeadItem) -> Item | None:
    return dead.item if dead.failed is None else dead.failed.request


def _shown(item: Item | None) -> dict[str, Any]:
    if item is None:
        return {}
    secrets = item.secrets if isinstance(item, NewRestream) else ()
    shown = redact_values((item.video_id, item.title), secrets)
    video_id, title = (clean(str(text), _MAX_TEXT) for text in shown)
    fields = {"videoId": video_id, "title": title}
    if isinstance(item, NewRestream):
        return fields
    return {name: text for name, text in fields.items() if text}
