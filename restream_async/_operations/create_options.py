"""Private: what is known about a creation before its first request."""

from collections.abc import Set as AbstractSet
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class CreateOptions:
    """How a creation begins.

    Attributes:
        has_slot: a slot in the concurrency limiter is acquired for its first request.
        check_first: create the restream only if it does not exist.
        recent: a recent list is good enough for the first check (see `shared_lists`).
        in_doubt: an earlier run may have created the restream.
        allow_equal: create the restream although an equal one may exist.
        others: ids of equal restreams that are not this one; it may grow.
        known_id: the id that an earlier run had for the restream.
        listed: ids that a list of the video has just shown, without the restream; None if the
            caller has no list. If lists hide keys, the first check is then not needed.

    """

    has_slot: bool = False
    check_first: bool = False
    recent: bool = False
    in_doubt: bool = False
    allow_equal: bool = False
    others: AbstractSet[int | str] = frozenset()
    known_id: int | str | None = None
    listed: AbstractSet[int | str] | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing is known and the first request is the POST."""
        special = self.check_first or self.in_doubt or self.allow_equal or self.others
        return not special and self.known_id is None


PLAIN: Final = CreateOptions()
PLAIN_WITH_SLOT: Final = CreateOptions(has_slot=True)
CHECK_FIRST: Final = CreateOptions(check_first=True)
CHECK_RECENTLY: Final = CreateOptions(check_first=True, recent=True)
