"""Rules: what to do with the restreams of a live video when the platform sends an event.

They stand in the file of the destinations:

    [[rules]]
    event = "live.video.created"
    action = "create"

    [[rules]]
    event = "live.video.status.changed"
    when = { status = "Offline" }         # fields of the event's data that must have these values
    action = "disable"

A file without rules means `DEFAULT_RULES`; with rules, only these count.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from restream_async.changes import Action
from restream_async.destinations.file import read_tables
from restream_async.errors import ConfigurationError

_FIELDS: Final = ("event", "when", "action")
_ACTIONS: Final = {
    action.value: action for action in (Action.CREATE, Action.ENABLE, Action.DISABLE, Action.DELETE)
}
_LIVE_VIDEO: Final = "live.video."


@attrs.frozen(kw_only=True)
class Rule:
    """What to do when the platform sends an event about a live video.

    The documentation of the platform names the events `live.video.created`, `.updated`, `.deleted`,
    `.status.changed`, `.started` and `.stopped`.

    Attributes:
        event: the `eventType` of the events.
        action: `Action.CREATE` creates the restreams of the video that do not exist; `ENABLE`,
            `DISABLE` and `DELETE` change those that match a destination.
        when: values that fields of the event's `data` must have. The names have a small first
            letter. Texts must be equal in every letter.

    """

    event: str
    action: Action
    when: Mapping[str, object] = attrs.field(factory=dict[str, object])

    def fits(self, kind: str, fields: Mapping[str, object]) -> bool:
        """Return whether the rule is about an event of that type and with that data."""
        return kind == self.event and all(
            # In Python, 1 and True are equal.
            name in fields
            and fields[name] == value
            and isinstance(fields[name], bool) == isinstance(value, bool)
            for name, value in self.when.items()
        )


DEFAULT_RULES: Final = (Rule(event="live.video.created", action=Action.CREATE),)
"""A new live video gets a restream for each destination."""


def read_rules(path: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """Read the rules from a file with destinations; `DEFAULT_RULES` if it has none.

    Raises:
        ConfigurationError: the file cannot be read, or a rule is wrong; the text says which.

    """
    path = Path(path)
    tables = read_tables(path, "rules")
    rules = [_rule(f"rule {number} of {path}", item) for number, item in enumerate(tables, 1)]
    return tuple(rules) or DEFAULT_RULES


def _rule(where: str, item: dict[str, Any]) -> Rule:
    if unknown := sorted(set(item) - set(_FIELDS)):
        raise ConfigurationError(
            f"{where} has unknown fields: {', '.join(unknown)} (known: {', '.join(_FIELDS)})"
        )
    event, when, action = item.get("event"), item.get("when", {}), item.get("action")
    if not isinstance(event, str) or not event.startswith(_LIVE_VIDEO):
        raise ConfigurationError(
            f"{where}: event must be the type of an event, such as {_LIVE_VIDEO}status.changed"
        )
    if not isinstance(action, str) or action not in _ACTIONS:
        raise ConfigurationError(f"{where}: action must be one of {', '.join(_ACTIONS)}")
    if not isinstance(when, dict):
        raise ConfigurationError(
            f'{where}: when must be a table of values, as in {{ status = "Offline" }}'
        )
    fields = cast("dict[str, object]", when)
    for name, value in fields.items():
        if not isinstance(value, str | int | float):
            raise ConfigurationError(
                f"{where}: {name} in when must be a text, a number, true or false"
            )
        if name[:1].isupper():
            small = name[:1].lower() + name[1:]
            raise ConfigurationError(f"{where}: write {name} in when as {small}")
    return Rule(event=event, action=_ACTIONS[action], when=fields)
