"""Private: adapts the changes of a video to what a list after the first ones of them shows.

Other programs may change the video meanwhile. What they did is not undone within the same run, but
it is not reported as done either: the next apply sees to it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from restream_async._operations.existence import Key, key_of
from restream_async._wanted_state.difference import DELETING, present_in
from restream_async._wanted_state.progress import Progress
from restream_async.changes import Action, Change
from restream_async.models import NewRestream, Restream

_NOT_SHOWN: Final = "no list has shown the new restream, so the old one was kept"
_BOTH_GONE: Final = "the list shows neither the old restream nor the new one: apply again"
_GONE: Final = "the restream was deleted meanwhile: apply again"
_ANOTHER_STATUS: Final = (
    "its place was taken meanwhile by a restream with another status: apply again"
)


def adapt(progress: Progress, later: Sequence[Change]) -> None:
    """Adapt the changes to `later`, the difference that the list afterwards shows."""
    present = present_in(later)
    by_id = {each.existing.id: each for each in later if each.existing is not None}
    for number, change in enumerate([*progress.changes]):
        if change.existing is None:
            _note_found(progress, number, change, present)
            continue
        now = by_id.pop(change.existing.id, None)
        if progress.is_open(number):
            _adapt_open(progress, number, now, is_present=_is_in(present, change.wanted))
        elif now is None and change.action is Action.KEEP and not _is_in(present, change.wanted):
            progress.leave(number, _GONE)
    for change in by_id.values():
        if change.action in DELETING:
            progress.add(change)


def _note_found(
    progress: Progress, number: int, change: Change, present: Mapping[Key, Restream]
) -> None:
    """Note that a restream exists although its creation failed."""
    new = change.wanted
    found = present.get(key_of(new)) if new is not None else None
    if found is not None and new is not None and found.status == new.status:
        progress.close(number, existing=found)


def _adapt_open(progress: Progress, number: int, now: Change | None, *, is_present: bool) -> None:
    """Adapt a deletion that is to be made; `is_present` says whether the wanted one exists."""
    is_rotation = progress.changes[number].action is Action.ROTATE
    if now is None:
        if is_rotation and not is_present:
            progress.leave(number, _BOTH_GONE)
        else:
            # It is gone already.
            progress.close(number)
    elif now.action not in DELETING:
        progress.replace(number, now)
        if now.action is not Action.KEEP:
            progress.leave(number, _ANOTHER_STATUS)
    elif is_rotation and not is_present:
        progress.leave(number, _NOT_SHOWN)


def _is_in(present: Mapping[Key, Restream], new: NewRestream | None) -> bool:
    return new is not None and key_of(new) in present
