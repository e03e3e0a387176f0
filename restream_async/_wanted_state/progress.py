"""Private: the changes of one video while they are made."""

from collections.abc import Iterator

import attrs

from restream_async._bulk.unfinished import interrupted_error
from restream_async._http.messages import Api
from restream_async._wanted_state.difference import DELETING
from restream_async.changes import Action, Change
from restream_async.errors import NotSentError, RestreamError
from restream_async.models import Restream

_UNKNOWN_NOTE = "apply again: what is done is not done twice"


class Progress:
    """The changes of one video, and which of them are made. They are named by their number.

    Attributes:
        changes: all changes, with what became of them.
        interrupted: the numbers of those that were interrupted, and may have been made.

    """

    def __init__(self, api: Api) -> None:
        """Start with none."""
        self._api = api
        self._open: set[int] = set()
        self.changes: list[Change] = []
        self.interrupted: set[int] = set()

    def add(self, change: Change) -> None:
        """Add a change; it is open if it is to be made."""
        if change.action is not Action.KEEP and not change.needs:
            self._open.add(len(self.changes))
        self.changes.append(change)

    def open(self) -> Iterator[tuple[int, Change]]:
        """Return the changes that are to be made, in order."""
        return ((number, self.changes[number]) for number in sorted(self._open))

    def is_open(self, number: int) -> bool:
        """Return whether a change is to be made."""
        return number in self._open

    def close(self, number: int, *, existing: Restream | None = None) -> None:
        """Note that a change is made; `existing` is what the service has now."""
        self._open.discard(number)
        if existing is not None:
            self.changes[number] = attrs.evolve(self.changes[number], existing=existing, error=None)

    def replace(self, number: int, change: Change) -> None:
        """Note that another change has turned out to be right, with nothing to make."""
        self._open.discard(number)
        self.changes[number] = change

    def fail(self, number: int, error: RestreamError) -> None:
        """Note why a change was not made."""
        self._open.discard(number)
        self.changes[number] = attrs.evolve(self.changes[number], error=error)

    def keep(self, number: int, existing: Restream, reason: str) -> None:
        """Note why a restream was not deleted."""
        call = self._api.delete(existing.id).call
        self.fail(number, NotSentError(call, detail=reason, sent=False))

    def finish(self, error: RestreamError) -> None:
        """Note on all open changes that they were not made, or may have been."""
        for number, change in self.open():
            if number not in self.interrupted or change.existing is None:
                self.fail(number, error)
                continue
            deleting = change.action in DELETING
            about = self._api.delete if deleting else self._api.toggle
            call = about(change.existing.id).call
            self.fail(number, interrupted_error(call, in_doubt=True, note=_UNKNOWN_NOTE))
