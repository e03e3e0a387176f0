"""Private: the difference between the wanted restreams of one video and those that exist.

Pure: it sends nothing. Each existing restream belongs to at most one wanted one, decided in steps:

1. It is the same: video, stream URL and stream key. Of several, one is kept, and the others are
   duplicates.
2. It may be the same, but the service does not show it in full. Such a restream is never replaced
   or deleted.
3. It has the same stream URL and title, and certainly another stream key: its key is rotated. That
   holds also if the wanted one exists already, because an earlier run may have been killed between
   creating and deleting. So no journal is needed to find the old one again.
4. What is left is extra.
"""

from collections import defaultdict, deque
from collections.abc import Container, Iterable, Sequence
from typing import Final

from restream_async._operations.existence import Existence, Key, key_of
from restream_async._operations.matching import Match
from restream_async._util.urls import normal_url
from restream_async.changes import Action, Change
from restream_async.models import NewRestream, Restream

DELETING: Final = frozenset({Action.ROTATE, Action.DELETE})
"""The actions that delete the existing restream."""


def difference(  # noqa: PLR0913 - what the changes depend on
    wanted: Sequence[NewRestream],
    existing: Sequence[Restream],
    *,
    rotate: bool,
    prune: bool,
    existence: Existence,
    known: Container[int | str] = (),
) -> list[Change]:
    """Return the changes of one video: those of the wanted restreams in order, then the extras.

    Args:
        wanted: the wanted restreams of the video, at least one; no two have the same key.
        existing: what the service shows for it.
        rotate: whether stream keys may be replaced.
        prune: whether extras and duplicates may be deleted.
        existence: compares a wanted restream with an existing one.
        known: ids that are kept rather than others that are the same.

    """
    pairing = _Pairing(wanted, existing, existence, known)
    changes: list[Change] = []
    for index, new in enumerate(wanted):
        changes += pairing.changes_of(index, new, rotate=rotate, prune=prune)
    video_id = wanted[0].video_id
    for shown in pairing.unclear:
        changes.append(
            Change(
                action=Action.KEEP,
                video_id=video_id,
                title=shown.title,
                existing=shown,
                is_unclear=True,
            )
        )
    for shown in pairing.extras:
        changes.append(
            Change(
                action=Action.DELETE,
                video_id=video_id,
                title=shown.title,
                existing=shown,
                needs="" if prune else "prune",
            )
        )
    return changes


def present_in(changes: Iterable[Change]) -> dict[Key, Restream]:
    """Return the wanted restreams that certainly exist, by their keys, as the service has them."""
    return {
        key_of(change.wanted): change.existing
        for change in changes
        if change.wanted is not None
        and change.existing is not None
        and not (change.is_unclear or change.action in DELETING)
    }


class _Pairing:
    """Which existing restream belongs to which wanted one. Wanted ones are named by their number.

    Attributes:
        unclear: existing ones that may be wanted ones, and belong to none.
        extras: existing ones that belong to no wanted one.

    """

    def __init__(
        self,
        wanted: Sequence[NewRestream],
        existing: Sequence[Restream],
        existence: Existence,
        known: Container[int | str],
    ) -> None:
        self._wanted = wanted
        self._same: defaultdict[int, list[Restream]] = defaultdict(list)
        # The wanted ones that each of these may be.
        maybe: list[tuple[Restream, set[int]]] = []
        others: list[Restream] = []
        by_key = {
            (normal_url(new.stream_url), new.stream_key): index for index, new in enumerate(wanted)
        }
        with_key: defaultdict[str, list[int]] = defaultdict(list)
        for index, new in enumerate(wanted):
            with_key[new.stream_key].append(index)
        for shown in _of_video(wanted[0].video_id, existing):
            exact = by_key.get((normal_url(shown.stream_url), shown.stream_key))
            if exact is not None:
                self._same[exact].append(shown)
                continue
            # Comparing each with each takes long, and a key that is shown in full rules out others.
            candidates: Iterable[int] = (
                range(len(wanted))
                if existence.may_be_another_key(shown.stream_key)
                else with_key.get(shown.stream_key, ())
            )
            matches = {index: existence.compare(wanted[index], shown) for index in candidates}
            same = next((index for index, one in matches.items() if one is Match.SAME), None)
            may_be = {index for index, one in matches.items() if one is Match.UNCLEAR}
            if same is not None:
                self._same[same].append(shown)
            elif may_be:
                maybe.append((shown, may_be))
            else:
                others.append(shown)
        for index, copies in self._same.items():
            _best_first(copies, wanted[index], known)
        self._paired: dict[int, Restream] = {}
        self._pair(maybe)
        paired = {shown.id for shown in self._paired.values()}
        self.unclear = [shown for shown, _ in maybe if shown.id not in paired]
        # One that may exist already must not cost another its place.
        free = [index for index in range(len(wanted)) if index not in self._paired]
        # First those that do not exist.
        self._owners: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        for index in sorted(free, key=self._same.__contains__):
            owners = self._owners[normal_url(wanted[index].stream_url), wanted[index].title]
            if not owners or index not in self._same or owners[0] in self._same:
                owners.append(index)
        self._old: defaultdict[int, list[Restream]] = defaultdict(list)
        self.extras = [shown for shown in others if not self._is_old(shown)]

    def changes_of(
        self, index: int, new: NewRestream, *, rotate: bool, prune: bool
    ) -> list[Change]:
        """Return the changes of one wanted restream; its own is the first."""
        video_id, title = new.video_id, new.title
        same, old = self._same.get(index, []), self._old.get(index, [])
        paired = self._paired.get(index)
        changes: list[Change] = []
        if same or paired is not None or not old:
            kept = same[0] if same else paired
            changes.append(
                Change(
                    action=_action(new, kept, is_unclear=paired is not None),
                    video_id=video_id,
                    title=title,
                    wanted=new,
                    existing=kept,
                    is_unclear=paired is not None,
                )
            )
        changes += [
            Change(
                action=Action.ROTATE,
                video_id=video_id,
                title=title,
                wanted=new,
                existing=shown,
                needs="" if rotate else "rotate",
            )
            for shown in old
        ]
        changes += [
            Change(
                action=Action.DELETE,
                video_id=video_id,
                title=title,
                wanted=new,
                existing=shown,
                needs="" if prune else "prune",
                is_duplicate=True,
            )
            for shown in same[1:]
        ]
        return changes

    def _pair(self, maybe: Sequence[tuple[Restream, set[int]]]) -> None:
        """Pair those that are not shown in full: by their titles, then in order."""
        free = [(shown, may_be - self._same.keys()) for shown, may_be in maybe]
        for by_title in (True, False):
            for index, new in enumerate(self._wanted):
                if index in self._paired:
                    continue
                for at, (shown, may_be) in enumerate(free):
                    if index in may_be and (shown.title == new.title or not by_title):
                        self._paired[index] = shown
                        del free[at]
                        break

    def _is_old(self, shown: Restream) -> bool:
        """Return whether a restream is a wanted one with an old key, and note for which."""
        owners = self._owners.get((normal_url(shown.stream_url), shown.title))
        if owners is None:
            return False
        # Each in its turn.
        self._old[owners[0]].append(shown)
        owners.rotate(-1)
        return True


def _of_video(video_id: str, existing: Sequence[Restream]) -> list[Restream]:
    """Return those of the video, each once: a service may show more than it was asked for."""
    own = {"", video_id.casefold()}
    return [*{each.id: each for each in existing if each.video_id.casefold() in own}.values()]


def _best_first(same: list[Restream], new: NewRestream, known: Container[int | str]) -> None:
    """Sort equal restreams: first the one to keep. A title cannot be changed, but a status can."""
    same.sort(
        key=lambda shown: (
            shown.id not in known,
            shown.title != new.title,
            shown.status != new.status,
        )
    )


def _action(new: NewRestream, kept: Restream | None, *, is_unclear: bool) -> Action:
    if kept is None:
        return Action.CREATE
    if kept.status == new.status or (is_unclear and kept.title != new.title):
        # Without the same title, too little says that it is the wanted one.
        return Action.KEEP
    return Action.ENABLE if new.status else Action.DISABLE
