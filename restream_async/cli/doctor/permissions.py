"""Private: what a NATS user may publish, by the permissions that the server tells."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Self, cast

import attrs


@attrs.frozen
class PublishPermissions:
    """Which subjects a user may publish to.

    Attributes:
        allowed: patterns of NATS; None: all subjects.
        denied: patterns that win over the allowed ones.

    """

    allowed: tuple[str, ...] | None = None
    denied: tuple[str, ...] = ()

    @classmethod
    def of(cls, user_info: Mapping[str, Any]) -> Self:
        """Read the answer to a request to `$SYS.REQ.USER.INFO`."""
        publish = user_info.get("data", {}).get("permissions", {}).get("publish", {})
        allowed = publish.get("allow")
        return cls(_texts(allowed) if allowed else None, _texts(publish.get("deny") or ()))

    @property
    def is_unlimited(self) -> bool:
        """Whether the user may publish to every subject."""
        return self.allowed is None and not self.denied

    def permits(self, subject: str) -> bool:
        """Return whether the user may publish to a subject."""
        if any(covers(pattern, subject) for pattern in self.denied):
            return False
        return self.allowed is None or any(covers(pattern, subject) for pattern in self.allowed)


def covers(pattern: str, subject: str) -> bool:
    """Return whether a pattern of NATS (`*` for one word, `>` for the rest) covers a subject."""
    for wanted, word in zip_longest(pattern.split("."), subject.split(".")):
        if wanted == ">" and word is not None:
            return True
        if wanted is None or word is None or wanted not in {"*", word}:
            return False
    return True


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, cast("tuple[object, ...]", values)))
