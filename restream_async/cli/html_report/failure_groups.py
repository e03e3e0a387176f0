"""Private: failures grouped by their reasons, in little memory."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import attrs

from restream_async import OutcomeUnknownError, RestreamError
from restream_async.changes import Action, Change
from restream_async.cli.errors import brief
from restream_async.cli.output.run_result import Span, spans_of
from restream_async.errors import ApiError, CallError, MalformedResponseError

# A longer list would not be read.
_MOST_REASONS: Final = 100
# Changes that are named for each reason.
_MOST_CHANGES: Final = 10
# The service may quote an id in its message.
_WORD: Final = re.compile(r"[\w-]+")
_OTHER: Final = "other reasons"


@attrs.frozen
class Reason:
    """Why items failed.

    Attributes:
        error: the name of the error.
        text: the reason in a few words, without what only one item has.

    """

    error: str
    text: str


@attrs.frozen
class Group:
    """Failures of the same reason.

    Attributes:
        reason: the reason.
        count: how many failed.
        places: where, in words.

    """

    reason: Reason
    count: int
    places: str


Places: TypeAlias = Callable[[Iterable[Span]], str]
"""Returns in words where blocks of items are."""


class Reasons:
    """Counts failures by reason; further reasons count together, by the name of the error.

    Attributes:
        counts: how many failed for each reason.

    """

    def __init__(self) -> None:
        """Begin empty."""
        self.counts: Counter[Reason] = Counter()

    def add(self, error: RestreamError) -> Reason:
        """Count a failure, and return its reason."""
        name = type(error).__name__
        reason = Reason(name, cause(error))
        if reason not in self.counts and len(self.counts) >= _MOST_REASONS:
            reason = Reason(name, _OTHER)
        self.counts[reason] += 1
        return reason


class FailedItems:
    """Remembers which items failed for which reason, in one byte per item."""

    def __init__(self) -> None:
        """Begin without items."""
        self._reasons = Reasons()
        self._numbers: dict[Reason, int] = {}
        # 0 is the state of an item that has not failed.
        self._of_item = bytearray()

    def add(self, item: int, error: RestreamError) -> None:
        """Note that an item failed."""
        reason = self._reasons.add(error)
        self._of_item.extend(bytes(max(0, item + 1 - len(self._of_item))))
        self._of_item[item] = self._numbers.setdefault(reason, len(self._numbers) + 1)

    def groups(self, places: Places) -> Iterator[Group]:
        """Yield the failures of each reason, the most frequent first.

        Args:
            places: names the places of items.

        """
        for reason, count in self._reasons.counts.most_common():
            yield Group(reason, count, places(spans_of(self._of_item, self._numbers[reason])))


class FailedChanges:
    """Remembers the first changes that failed for each reason."""

    def __init__(self) -> None:
        """Begin without changes."""
        self._reasons = Reasons()
        self._first: defaultdict[Reason, list[str]] = defaultdict(list)

    def add(self, change: Change, error: RestreamError) -> None:
        """Note that a change failed."""
        first = self._first[self._reasons.add(error)]
        if len(first) < _MOST_CHANGES:
            what = "read" if change.action is Action.KEEP else change.action.value
            first.append(f"{what} {change.title} of video {change.video_id}")

    def groups(self) -> Iterator[Group]:
        """Yield the failures of each reason, the most frequent first."""
        for reason, count in self._reasons.counts.most_common():
            first = self._first[reason]
            more = [f"and {count - len(first):,} more"] if count > len(first) else []
            yield Group(reason, count, "; ".join([*first, *more]))


def cause(error: RestreamError) -> str:
    """Return the reason of a failure without what only one request has: ids, times to wait."""
    match error:
        case OutcomeUnknownError():
            return cause(error.doubt)
        case ApiError():
            text = brief(attrs.evolve(error, request_id=None, retry_after=None))
        case MalformedResponseError():
            text = brief(attrs.evolve(error, request_id=None))
        case _:
            text = brief(error)
    if not isinstance(error, CallError):
        return text
    ids = {error.call.video_id, error.call.restream_id}
    return _WORD.sub(lambda word: "…" if word[0] in ids else word[0], text)
