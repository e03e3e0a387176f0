"""Private: what a list of a video, or the answer to a POST, says about a wanted restream.

A list may show less than was sent (`matching`). If the list leaves it unclear, ids decide: ids that
were listed before the creation, and ids that the service gave this client for other restreams. If
ids cannot decide either, the search is inconclusive.
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
    may_be_hidden,
)
from restream_async._util.urls import normal_url
from restream_async.models import NewRestream, Restream

_REMEMBERED: Final = 5_000
"""Ids that are remembered. Up to twice as many are kept, each in some 100 bytes."""

# JSON names.
_URL: Final = "streamUrl"
_KEY: Final = "streamKey"

# Known ids that lists show with another key, until lists count as hiding keys.
_ENOUGH: Final = 2

_MOST_IN_TEXT: Final = 5

_log: Final = logging.getLogger("restream_async")


class Key(tuple[str, str, str]):
    """What makes two restreams equal: video, stream URL (as a URL) and stream key."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show no part of it, because a traceback may be printed with its locals."""
        return "Key(***)"


def key_of(restream: NewRestream | Restream) -> Key:
    """Return the key of a restream."""
    return Key((restream.video_id, normal_url(restream.stream_url), restream.stream_key))


@attrs.frozen
class Inconclusive:
    """The list does not show whether the wanted restream exists.

    Attributes:
        ids: the restreams that may be the wanted one.

    """

    ids: tuple[int | str, ...]

    def __str__(self) -> str:
        """Return why the search is inconclusive; names ids only."""
        more = ", …" if len(self.ids) > _MOST_IN_TEXT else ""
        ids = ", ".join(map(str, self.ids[:_MOST_IN_TEXT])) + more
        return f"restream {ids} may be the wanted one, and is not shown in full"


@attrs.frozen(kw_only=True)
class CheckContext:
    """What is known of a creation, besides what a list shows.

    Attributes:
        others: ids of equal restreams that are not the wanted one.
        listed_before: ids that a list showed before the latest POST; None if none was read then.
        unaccepted: answers to a POST of this creation that `Existence.accepts` refused, by id.
        has_rivals: whether this client is creating others for the same video and stream URL.

    """

    others: AbstractSet[int | str] = frozenset()
    listed_before: AbstractSet[int | str] | None = None
    unaccepted: dict[int | str, Restream] = attrs.Factory(dict[int | str, Restream])
    has_rivals: bool = False


_NOTHING_KNOWN: Final = CheckContext()


class Existence:
    """What a client has learnt about the restreams of its project, and how the service shows them.

    Attributes:
        hides_keys: whether lists show stream keys otherwise than they were sent.

    """

    def __init__(self) -> None:
        """Start with nothing learnt."""
        # The hash of the stream key that was sent, for each id that the service gave: the newer
        # half, and the older half.
        self._given: dict[int | str, int] = {}
        self._given_before: dict[int | str, int] = {}
        # Fields that lists, and answers to a POST, show otherwise than they were sent.
        self._in_lists: set[str] = set()
        self._in_answers: set[str] = set()
        # Whether a list has shown a stream key as it was sent. Then lists show all keys.
        self._shows_keys = False
        # Known ids that a list has shown with another text in place of the key, such as a hash.
        self._replaced: set[int | str] = set()
        self.hides_keys = False

    @property
    def forms(self) -> tuple[str, ...]:
        """The JSON names of the fields that the service shows otherwise than they were sent."""
        return tuple(sorted(self._in_lists | self._in_answers))

    def remember_id(self, new: NewRestream, restream_id: int | str) -> None:
        """Remember the id that the service gave a restream."""
        if len(self._given) >= _REMEMBERED:
            self._given, self._given_before = {}, self._given
        self._given[restream_id] = hash(new.stream_key)

    def accepts(self, new: NewRestream, answer: Restream) -> bool:
        """Return whether the answer to a POST is about the wanted restream; if so, remember its id.

        It is if it repeats what was sent, or differs only in a form that a list has confirmed.
        """
        if (
            answer.stream_key == new.stream_key
            and answer.stream_url == new.stream_url
            and answer.video_id == new.video_id
        ):
            self.remember_id(new, answer.id)
            return True
        confirmed = self._in_answers >= _differing(new, answer)
        accepted = confirmed and match(new, answer) is not Match.DIFFERENT
        if accepted:
            self.remember_id(new, answer.id)
        return accepted

    def find(
        self, new: NewRestream, restreams: Sequence[Restream], context: CheckContext
    ) -> Restream | Inconclusive | None:
        """Return the wanted restream from a list; None if it does not exist."""
        self.learn([new], restreams)
        candidates = [shown for shown in restreams if shown.id not in context.others]
        for shown in candidates:
            if match(new, shown) is Match.SAME or self._has_known_id(new, shown, context):
                return self._confirmed(new, shown, context)
        unclear = [shown for shown in candidates if self._is_unclear(new, shown, context)]
        for shown in unclear:
            self._note_form(self._in_lists, new, shown)
        before = context.listed_before
        late = [shown for shown in unclear if before is None or shown.id not in before]
        missing = _missing(new, restreams, context)
        if not (late or missing):
            return None
        if before is not None and len(late) == 1 and not (missing or context.has_rivals):
            return self._confirmed(new, late[0], context)
        return Inconclusive((*(shown.id for shown in late), *missing))

    def may_hide_copies(
        self, new: NewRestream, restreams: Sequence[Restream], known: AbstractSet[int | str]
    ) -> bool:
        """Return whether a list may hold copies of a restream that are not shown in full.

        Those with `known` ids are not counted.
        """
        rest = [shown for shown in restreams if match(new, shown) is not Match.SAME]
        return isinstance(self.find(new, rest, CheckContext(others=known)), Inconclusive)

    def compare(self, new: NewRestream, shown: Restream) -> Match:
        """Compare a listed restream with the wanted one, with all that was learnt."""
        if (found := match(new, shown)) is Match.SAME:
            return found
        hidden = self.hides_keys or found is Match.UNCLEAR
        if hidden and self._has_known_id(new, shown, _NOTHING_KNOWN):
            return Match.SAME
        unclear = self._is_unclear(new, shown, _NOTHING_KNOWN)
        return Match.UNCLEAR if unclear else Match.DIFFERENT

    def may_be_another_key(self, stream_key: str) -> bool:
        """Return whether a listed key may stand for another one, so that `compare` may say so."""
        return self.hides_keys or may_be_hidden(stream_key)

    def learn(self, wanted: Sequence[NewRestream], restreams: Sequence[Restream]) -> None:
        """Learn from known keys, and those of `wanted`, whether a list shows keys as they are."""
        keys = {new.stream_key for new in wanted}
        for shown in restreams:
            given = self._given_key(shown.id)
            if given == hash(shown.stream_key) or shown.stream_key in keys:
                self._shows_keys = True
                self._in_lists.discard(_KEY)
                self.hides_keys = False
            elif given is not None and not self._shows_keys and not is_masked(shown.stream_key):
                # A single one may have been changed at the service.
                self._replaced.add(shown.id)
                if len(self._replaced) >= _ENOUGH:
                    self._add_form(self._in_lists, _KEY)

    def _has_known_id(self, new: NewRestream, shown: Restream, context: CheckContext) -> bool:
        """Return whether the id shows that a restream is the wanted one."""
        if shown.id in context.unaccepted:
            return match(new, shown) is Match.UNCLEAR
        return self._given_key(shown.id) == hash(new.stream_key) and _is_near(new, shown)

    def _is_unclear(self, new: NewRestream, shown: Restream, context: CheckContext) -> bool:
        """Return whether a restream may be the wanted one, but is not shown in full."""
        if self._given_key(shown.id) is not None:
            return False
        if self._shows_keys and match_key(new.stream_key, shown.stream_key) is Match.UNCLEAR:
            # Lists show keys, so it is another key even if it looks masked.
            return False
        replaced = not self._shows_keys and len(self._replaced) >= _ENOUGH
        if match(new, shown) is Match.UNCLEAR:
            return True
        return (replaced or shown.id in context.unaccepted) and _is_near(new, shown)

    def _given_key(self, restream_id: int | str) -> int | None:
        given = self._given.get(restream_id)
        return given if given is not None else self._given_before.get(restream_id)

    def _confirmed(self, new: NewRestream, shown: Restream, context: CheckContext) -> Restream:
        """Return a restream that was found, and learn its forms."""
        self._note_form(self._in_lists, new, shown)
        if (answer := context.unaccepted.get(shown.id)) is not None:
            self._note_form(self._in_answers, new, answer)
        return shown

    def _note_form(self, fields: set[str], new: NewRestream, shown: Restream) -> None:
        for name in _differing(new, shown):
            self._add_form(fields, name)

    def _add_form(self, fields: set[str], name: str) -> None:
        if name not in self.forms:
            _log.warning(
                "the service shows the %s of restreams otherwise than it was sent: existence "
                "checks allow for it, and an outcome says where they cannot",
                name,
            )
        fields.add(name)
        self.hides_keys = _KEY in self._in_lists


def _missing(
    new: NewRestream, restreams: Sequence[Restream], context: CheckContext
) -> list[int | str]:
    """Return ids that the service gave the wanted restream, and that the list lacks."""
    listed = {shown.id for shown in restreams}
    return [
        answer.id
        for answer in context.unaccepted.values()
        if answer.id not in listed and match(new, answer) is not Match.DIFFERENT
    ]


def _is_near(new: NewRestream, shown: Restream) -> bool:
    """Return whether at most the stream keys differ."""
    same_video = shown.video_id.casefold() in {"", new.video_id.casefold()}
    return same_video and match_url(new.stream_url, shown.stream_url) is not Match.DIFFERENT


def _differing(new: NewRestream, shown: Restream) -> set[str]:
    """Return the JSON names of the fields that are shown otherwise than they were sent."""
    differing: set[str] = set()
    if shown.stream_url != new.stream_url:
        differing.add(_URL)
    if shown.stream_key != new.stream_key:
        differing.add(_KEY)
    return differing
