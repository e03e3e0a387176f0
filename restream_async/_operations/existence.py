"""The existence check: what a list of a video's restreams says about a wanted one.

A list may show less than was sent (`matching`). What it leaves unclear is decided by ids: those
that were there before the creation, and those that this client was given for other restreams.
Where ids cannot decide either, the check is inconclusive.
"""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from restream_async._operations.matching import (
    Match,
    is_masked,
    match,
    match_key,
    match_url,
    normal_url,
)
from restream_async.models import NewRestream, Restream

_REMEMBERED: Final = 5_000
"""Ids that are surely remembered; up to twice as many are, each in some 100 bytes."""

# JSON names.
_URL: Final = "streamUrl"
_KEY: Final = "streamKey"

# CheckContext ids that show another key, from which on the service shows none.
_ENOUGH: Final = 2

_log: Final = logging.getLogger("restream_async")


class Key(tuple[str, str, str]):
    """What makes two restreams the same one: video, stream URL (as a URL) and stream key."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return nothing of it: it is a local where a traceback may be printed with its locals."""
        return "Key(***)"


def key_of(restream: NewRestream | Restream) -> Key:
    """Return the key of a restream."""
    return Key((restream.video_id, normal_url(restream.stream_url), restream.stream_key))


@attrs.frozen
class Inconclusive:
    """The list does not show whether the wanted restream is there.

    Attributes:
        ids: the restreams that may be the wanted one.

    """

    ids: tuple[int | str, ...]

    def __str__(self) -> str:
        """Return why it is inconclusive; names ids only."""
        ids = ", ".join(map(str, self.ids[:5])) + (", …" if len(self.ids) > 5 else "")  # noqa: PLR2004 - enough to look at
        return f"restream {ids} may be the wanted one, and is not shown in full"


@attrs.frozen(kw_only=True)
class CheckContext:
    """What is known of a creation, besides what a list shows.

    Attributes:
        others: ids of equal restreams that are not the wanted one.
        before: ids that a list showed before the latest POST; None if no list was read then.
        claimed: answers to a POST of this creation that could not be taken as they are, by id.
        has_rivals: whether this client is creating others for the same video and stream URL.

    """

    others: AbstractSet[int | str] = frozenset()
    before: AbstractSet[int | str] | None = None
    claimed: dict[int | str, Restream] = attrs.Factory(dict[int | str, Restream])
    has_rivals: bool = False


class Existence:
    """What one client has learnt about the restreams of its project, and how they are shown."""

    def __init__(self) -> None:
        """Begin with nothing."""
        # Of each id that the service gave: the hash of the stream key that was sent. The newer
        # ones, and the older ones.
        self._given: dict[int | str, int] = {}
        self._given_before: dict[int | str, int] = {}
        # Fields that lists, and answers to a POST, show otherwise than they were sent.
        self._in_lists: set[str] = set()
        self._in_answers: set[str] = set()
        # Whether a list has shown a stream key as it was sent, which settles that lists show keys.
        self._shows_keys = False
        # Ids that a list has shown with another text in place of the key, such as a hash.
        self._replaced: set[int | str] = set()
        self.hides_keys = False
        """Whether lists do not show stream keys as they were sent."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The JSON names of the fields that the service shows otherwise than they were sent."""
        return tuple(sorted(self._in_lists | self._in_answers))

    def gave(self, new: NewRestream, restream_id: int | str) -> None:
        """Note the id that the service gave a restream."""
        if len(self._given) >= _REMEMBERED:
            self._given, self._given_before = {}, self._given
        self._given[restream_id] = hash(new.stream_key)

    def accepts(self, new: NewRestream, answer: Restream) -> bool:
        """Say whether the answer to a POST is about the wanted restream, and then note its id.

        It is if it repeats what was sent, or differs from it only in a form that a list has
        confirmed before.
        """
        if (
            answer.stream_key == new.stream_key
            and answer.stream_url == new.stream_url
            and answer.video_id == new.video_id
        ):
            self.gave(new, answer.id)
            return True
        confirmed = self._in_answers >= _differing(new, answer)
        accepted = confirmed and match(new, answer) is not Match.DIFFERENT
        if accepted:
            self.gave(new, answer.id)
        return accepted

    def find(
        self, new: NewRestream, restreams: Sequence[Restream], known: CheckContext
    ) -> Restream | Inconclusive | None:
        """Return the wanted restream from a list; None if it is absent."""
        self._learn(new, restreams)
        candidates = [shown for shown in restreams if shown.id not in known.others]
        for shown in candidates:
            if match(new, shown) is Match.SAME or self._is_known(new, shown, known):
                return self._confirmed(new, shown, known)
        unclear = [shown for shown in candidates if self._is_unclear(new, shown, known)]
        for shown in unclear:
            self._notice(self._in_lists, new, shown)
        before = known.before
        late = [shown.id for shown in unclear if before is None or shown.id not in before]
        missing = self._missing(new, restreams, known)
        if not (late or missing):
            return None
        if before is not None and len(late) == 1 and not (missing or known.has_rivals):
            found = next(shown for shown in unclear if shown.id == late[0])
            return self._confirmed(new, found, known)
        return Inconclusive((*late, *missing))

    def leaves_open(
        self, new: NewRestream, restreams: Sequence[Restream], known: AbstractSet[int | str]
    ) -> bool:
        """Say whether there may be more copies in a list than the `known` ones."""
        rest = [shown for shown in restreams if match(new, shown) is not Match.SAME]
        return isinstance(self.find(new, rest, CheckContext(others=known)), Inconclusive)

    def _is_known(self, new: NewRestream, shown: Restream, known: CheckContext) -> bool:
        """Say whether a restream is the wanted one by its id."""
        if shown.id in known.claimed:
            return match(new, shown) is Match.UNCLEAR
        return self._given_to(shown.id) == hash(new.stream_key) and _is_near(new, shown)

    def _is_unclear(self, new: NewRestream, shown: Restream, known: CheckContext) -> bool:
        """Say whether a restream may be the wanted one, for all that the list shows."""
        if self._given_to(shown.id) is not None or not _is_near(new, shown):
            return False
        how = match(new, shown)
        if self._shows_keys and match_key(new.stream_key, shown.stream_key) is Match.UNCLEAR:
            # Then it is another key, however it looks.
            return False
        replaced = not self._shows_keys and len(self._replaced) >= _ENOUGH
        return how is Match.UNCLEAR or replaced or shown.id in known.claimed

    def _missing(
        self, new: NewRestream, restreams: Sequence[Restream], known: CheckContext
    ) -> list[int | str]:
        """Return ids that the service gave the wanted restream, and that the list lacks."""
        listed = {shown.id for shown in restreams}
        return [
            answer.id
            for answer in known.claimed.values()
            if answer.id not in listed and match(new, answer) is not Match.DIFFERENT
        ]

    def _learn(self, new: NewRestream, restreams: Sequence[Restream]) -> None:
        """See from known keys whether the list shows stream keys as they were sent."""
        for shown in restreams:
            given = self._given_to(shown.id)
            if given == hash(shown.stream_key) or shown.stream_key == new.stream_key:
                self._shows_keys = True
                self._in_lists.discard(_KEY)
                self.hides_keys = False
            elif given is not None and not self._shows_keys and not is_masked(shown.stream_key):
                # One alone may have been changed at the service.
                self._replaced.add(shown.id)
                if len(self._replaced) >= _ENOUGH:
                    self._add(self._in_lists, _KEY)

    def _given_to(self, restream_id: int | str) -> int | None:
        given = self._given.get(restream_id)
        return given if given is not None else self._given_before.get(restream_id)

    def _confirmed(self, new: NewRestream, shown: Restream, known: CheckContext) -> Restream:
        self._notice(self._in_lists, new, shown)
        if (answer := known.claimed.get(shown.id)) is not None:
            self._notice(self._in_answers, new, answer)
        return shown

    def _notice(self, fields: set[str], new: NewRestream, shown: Restream) -> None:
        for name in _differing(new, shown):
            self._add(fields, name)

    def _add(self, fields: set[str], name: str) -> None:
        if name not in self.forms:
            _log.warning(
                "the service shows the %s of restreams otherwise than it was sent: existence "
                "checks allow for it, and an outcome says where they cannot",
                name,
            )
        fields.add(name)
        self.hides_keys = _KEY in self._in_lists


def _is_near(new: NewRestream, shown: Restream) -> bool:
    """Say whether only the stream keys differ."""
    url = match_url(new.stream_url, shown.stream_url)
    return _is_of(new.video_id, shown) and url is not Match.DIFFERENT


def _is_of(video_id: str, shown: Restream) -> bool:
    return shown.video_id.casefold() in {"", video_id.casefold()}


def _differing(new: NewRestream, shown: Restream) -> set[str]:
    differing: set[str] = set()
    if shown.stream_url != new.stream_url:
        differing.add(_URL)
    if shown.stream_key != new.stream_key:
        differing.add(_KEY)
    return differing
