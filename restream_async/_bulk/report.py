"""Private: the report of a bulk run: counts, extra copies, and the outcomes."""

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from restream_async.models import Created, Failed, Origin, Outcome


@attrs.frozen(kw_only=True)
class BulkCounts:
    """How the creations of a run ended, in numbers.

    Attributes:
        posted: the service answered the POST.
        confirmed: the answer was lost, and an existence check found the restream.
        existing: the restream existed before.
        from_journal: an earlier run had created it.
        failed: not created, by the name of the error.
        in_doubt: at least one attempt was in doubt, however the creation ended.
        maybe_duplicate: the POST was sent again although the outcome of an attempt was unknown.

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
        """How many of the restreams exist."""
        return self.posted + self.confirmed + self.existing + self.from_journal


@attrs.frozen(kw_only=True)
class Duplicate:
    """Copies of one restream that were found after a creation in doubt.

    Attributes:
        index: the item of the input.
        video_id: its live video.
        kept: the id that the outcome carries; the first copy's if the outcome is a failure.
        extra: ids of the other copies.
        deleted: those of the extra copies that were deleted (`repair=True`).
        reported_failed: whether the outcome is a failure.

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
        created: the outcomes of restreams that exist, in the order of the input.
        failed: the outcomes of the others, in the order of the input.
        counts: all outcomes in numbers.
        duplicates: copies that the reconciliation at the end of the run found.
        unchecked: how many creations in doubt the reconciliation could not check.

    """

    created: tuple[Created, ...]
    failed: tuple[Failed, ...]
    counts: BulkCounts
    duplicates: tuple[Duplicate, ...] = ()
    unchecked: int = 0

    def raise_for_failures(self) -> None:
        """Raise the errors of all failed items; do nothing if there are none.

        Raises:
            ExceptionGroup: the errors, each with a note that names its item of the input.

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
    """Counts outcomes."""

    def __init__(self) -> None:
        """Start at zero."""
        self._posted = 0
        self._others: Counter[Origin] = Counter()
        self._failed: Counter[str] = Counter()
        self._in_doubt = 0
        self._maybe_duplicate = 0

    def add(self, outcome: Outcome, *, in_doubt: bool) -> None:
        """Count an outcome; `in_doubt` says whether any attempt was in doubt."""
        if isinstance(outcome, Failed):
            self._failed[type(outcome.error).__name__] += 1
        elif outcome.origin is Origin.POSTED:
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


def note_lost_outcomes(error: Exception, outcomes: Iterable[Outcome]) -> None:
    """Add to the error of a run how many outcomes are lost with its report."""
    created, failed = sort_outcomes(outcomes)
    error.add_note(
        f"before that, {len(created)} restreams were created or found and {len(failed)} "
        "failed; iterate over create_many to keep such outcomes, or resume with a journal"
    )


def sort_outcomes(outcomes: Iterable[Outcome]) -> tuple[tuple[Created, ...], tuple[Failed, ...]]:
    """Return the created ones and the failed ones, each in the order of the input."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    return (
        tuple(outcome for outcome in ordered if isinstance(outcome, Created)),
        tuple(outcome for outcome in ordered if isinstance(outcome, Failed)),
    )
