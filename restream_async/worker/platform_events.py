"""Events of the platform, and what the rules ask for in answer to them. Knows no broker.

The platform repeats an event for up to a day until it gets a good answer, so every action is safe
to repeat.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from restream_async._field_checks import check_identifier
from restream_async._http import json_values
from restream_async.changes import Action
from restream_async.destinations import Destination, restreams_of
from restream_async.errors import InvalidRestreamError
from restream_async.handling.command_messages import MAX_BYTES
from restream_async.models import NewRestream
from restream_async.worker.event_rules import DEFAULT_RULES, Rule

# The documentation of created and updated events names the first, that of deleted and
# status.changed events the third; other events of the platform have a small letter.
_IDS: Final = ("PublicId", "publicId", "Id", "id")


class UnusableEventError(ValueError):
    """An event cannot be read, and repeating it does not help; the text repeats no value."""


@attrs.frozen(kw_only=True)
class Task:
    """What an event asks for.

    Attributes:
        action: `CREATE`, `ENABLE`, `DISABLE` or `DELETE`.
        video_id: public identifier of the live video.
        wanted: its restreams, one for each destination.

    """

    action: Action
    video_id: str
    wanted: Sequence[NewRestream]


def task_of(
    data: bytes, destinations: Sequence[Destination], rules: Sequence[Rule] = DEFAULT_RULES
) -> Task | None:
    """Return what an event asks for; None if no rule fits it.

    Args:
        data: the event as JSON.
        destinations: the fields of the event's data are their columns, each with a small first
            letter, such as `{title}`.
        rules: the first one that fits counts.

    Raises:
        UnusableEventError: it is not an event; or a rule fits it, but it names no video, or lacks
            what a destination needs.

    """
    kind, about = _read(data)
    # As the names of all other JSON fields of the service.
    columns = {name[:1].lower() + name[1:]: value for name, value in about.items()}
    rule = next((rule for rule in rules if rule.fits(kind, columns)), None)
    if rule is None:
        return None
    try:
        value = next((about[name] for name in _IDS if name in about), None)
        video_id = check_identifier(_IDS[0], value)
        wanted = restreams_of(video_id, destinations, columns)
    except InvalidRestreamError as error:
        problem = str(error)
    else:
        return Task(action=rule.action, video_id=video_id, wanted=wanted)
    raise UnusableEventError(f"the event cannot be used: {problem}")


def _read(data: bytes) -> tuple[str, Mapping[str, object]]:
    """Return the type and the data of an event."""
    if len(data) > MAX_BYTES:
        raise UnusableEventError("the event is too large")
    try:
        event = json_values.as_object(json_values.parse(data))
    except json_values.UnreadableError as error:
        problem = str(error)
    else:
        kind = None if event is None else event.get("eventType")
        if event is not None and isinstance(kind, str):
            return kind, json_values.as_object(event.get("data")) or {}
        problem = "it is not an object with an eventType"
    raise UnusableEventError(f"the event cannot be used: {problem}")
