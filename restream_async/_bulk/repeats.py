"""Private: equal restreams in one input, in a run without a journal."""

from typing import Final, Literal, TypeAlias

from restream_async._operations.create_options import CreateOptions
from restream_async._util.urls import normal_url
from restream_async.models import NewRestream

Repeats: TypeAlias = Literal["existing", "create"]
"""Whether a restream that comes again is the existing one, or another one to create."""

REMEMBERED: Final = 15_000
"""How many of the latest different restreams of an input are recognised. Up to twice as many are
kept, each in some 100 bytes: 3 MB at most."""

_CHECK_FIRST: Final = CreateOptions(has_slot=True, check_first=True)


class RepeatDetector:
    """Chooses how the creation of an item begins: a repeated restream is checked for first."""

    def __init__(self, repeats: Repeats, *, ensure: bool) -> None:
        """Treat repeats as `repeats` says; if `ensure` is set, check for every restream first."""
        allow_equal = repeats == "create"
        self._options = CreateOptions(has_slot=True, check_first=ensure, allow_equal=allow_equal)
        # Else the options are the same for a repeated restream.
        self._recent = None if allow_equal or ensure else RecentItems()

    def options(self, new: NewRestream) -> CreateOptions:
        """Return how the creation of a restream begins that has its slot."""
        if self._recent is not None and self._recent.has(new):
            return _CHECK_FIRST
        return self._options


class RecentItems:
    """Recognises the latest restreams of an input, in bounded memory.

    It keeps hashes of 64 bits. If two restreams share a hash, the second one is only checked for
    before it is created.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def has(self, new: NewRestream) -> bool:
        """Return whether an equal restream came before, and remember this one."""
        mark = hash((new.video_id, normal_url(new.stream_url), new.stream_key))
        known = mark in self._newer or mark in self._older
        if len(self._newer) >= REMEMBERED:
            self._newer, self._older = set(), self._newer
        self._newer.add(mark)
        return known
