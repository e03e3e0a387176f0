"""What a bulk run did: counts, extra copies, and the outcomes themselves."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from restream_async.models import Created, Failed, Origin, Outcome

# Looked up once, not for every outcome.
_POSTED: Final = Origin.POSTED


@attrs.frozen(kw_only=True)
class BulkCounts:
    """How the creations of a run ended, in numbers.

    Attributes:
        posted: the service answered the POST.
        confirmed: the answer was lost, and the restream was found by looking.
        existing: it was there before.
        from_journal: an earlier run had created it.
        failed: not created, by the name of the error.
        in_doubt: at least one attempt was in doubt on the way, whatever the end.
        maybe_duplicate: resent without knowing the outcome of an attempt.

    """

    posted: int = 0
    confirmed: int = 0
    existing: int = 0
    from_journal: int = 0
    failed: Mapping[str, int] = attrs.field(factory=dict[str, int])
    in_doubt: int = 0
    maybe_duplicate: int = 0

    @property
    def created(self) -> int:
        """All that exist."""
        return self.posted + self.confirmed + self.existing + self.from_journal


@attrs.frozen(kw_only=True)
class Duplicate:
    """Copies of one restream that turned up after doubt.

    Attributes:
        index: the item of the input.
        video_id: its live video.
        kept: the id that the outcome carries, or the first copy's where the outcome was a failure.
        extra: ids of the other copies.
        deleted: those of them that were deleted again (`repair=True`).
        reported_failed: whether the outcome had said that it was not created.

    """

    index: int
    video_id: str
    kept: int | str
    extra: tuple[int | str, ...]
    deleted: tuple[int | str, ...] = ()
    reported_failed: bool = False


@attrs.frozen(kw_only=True)
class BulkReport:
    """What a bulk run did.

    Attributes:
        created: the restreams that exist, in the order of the input.
        failed: those that were not created, in the order of the input.
        counts: all of them in numbers.
        duplicates: what turned up after doubt, when the end of the run looked again.
        unchecked: how many creations after doubt could not be looked for again.

    """

    created: tuple[Created, ...]
    failed: tuple[Failed, ...]
    counts: BulkCounts
    duplicates: tuple[Duplicate, ...] = ()
    unchecked: int = 0

    def raise_for_failures(self) -> None:
        """Do nothing if all were created.

        Raises:
            ExceptionGroup: of the errors of all that failed, each with a note that says which
                item of the input it was.

        """
        if not self.failed:
            return
        for failure in self.failed:
            note = f"item {failure.index} of the input: {failure.request!r}"
            if note not in getattr(failure.error, "__notes__", ()):
                failure.error.add_note(note)
        total = len(self.failed) + len(self.created)
        raise ExceptionGroup(
            f"{len(self.failed)} of {total} restreams were not created",
            [failure.error for failure in self.failed],
        )


class CountsBuilder:
    """Counts outcomes as they come."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._posted = 0
        self._others: Counter[Origin] = Counter()
        self._failed: Counter[str] = Counter()
        self._in_doubt = 0
        self._maybe_duplicate = 0

    def add(self, outcome: Outcome, *, in_doubt: bool) -> None:
        """Count one."""
        if isinstance(outcome, Failed):
            self._failed[type(outcome.error).__name__] += 1
        elif outcome.origin is _POSTED:
            self._posted += 1
        else:
            self._others[outcome.origin] += 1
        if in_doubt:
            self._in_doubt += 1
            self._maybe_duplicate += isinstance(outcome, Created) and outcome.maybe_duplicate

    @property
    def counts(self) -> BulkCounts:
        """The numbers so far."""
        return BulkCounts(
            posted=self._posted,
            confirmed=self._others[Origin.CONFIRMED],
            existing=self._others[Origin.EXISTING],
            from_journal=self._others[Origin.JOURNAL],
            failed=dict(self._failed),
            in_doubt=self._in_doubt,
            maybe_duplicate=self._maybe_duplicate,
        )


def sort_outcomes(outcomes: Iterable[Outcome]) -> tuple[tuple[Created, ...], tuple[Failed, ...]]:
    """Return the created ones and the failed ones, each in the order of the input."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    return (
        tuple(outcome for outcome in ordered if isinstance(outcome, Created)),
        tuple(outcome for outcome in ordered if isinstance(outcome, Failed)),
    )
