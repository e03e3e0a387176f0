"""Private: the changes of one video while they are made."""

from collections.abc import Iterator

import attrs

from restream_async._bulk.interrupted import interrupted_error
from restream_async._http.api import Api
from restream_async._wanted_state.difference import DELETING
from restream_async.changes import Action, Change
from restream_async.errors import Call, NotSentError, RestreamError
from restream_async.models import Restream

_UNKNOWN_NOTE = "apply again: what is done is not done twice"


class Progress:
    """The changes of one video, and which of them are made. They are named by their number.

    Attributes:
        changes: all changes with their results.
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

    def note(self, number: int, existing: Restream) -> None:
        """Note what the service has now."""
        self.changes[number] = attrs.evolve(self.changes[number], existing=existing, error=None)

    def close(self, number: int, *, existing: Restream | None = None) -> None:
        """Note that a change is made; `existing` is what the service has now."""
        self._open.discard(number)
        if existing is not None:
            self.note(number, existing)

    def replace(self, number: int, change: Change) -> None:
        """Note that another change has turned out to be right, with nothing to make."""
        self._open.discard(number)
        self.changes[number] = change

    def fail(self, number: int, error: RestreamError) -> None:
        """Note why a change was not made."""
        self._open.discard(number)
        self.changes[number] = attrs.evolve(self.changes[number], error=error)

    def leave(self, number: int, reason: str) -> None:
        """Note why an existing restream is left as it is."""
        call = self._call(self.changes[number])
        self.fail(number, NotSentError(call, detail=reason, sent=False))

    def finish(self, error: RestreamError) -> None:
        """Note on all open changes that they were not made, or may have been."""
        for number, change in self.open():
            unknown = interrupted_error(self._call(change), in_doubt=True, note=_UNKNOWN_NOTE)
            self.fail(number, unknown if number in self.interrupted else error)

    def _call(self, change: Change) -> Call:
        """Return the kind of call that changes an existing restream so."""
        return self._api.restreams_call("DELETE" if change.action in DELETING else "PUT")
