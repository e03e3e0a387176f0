"""Private: the result of a bulk run, collected from its outcomes."""

import re
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from restream_async import ApiError, Created, Outcome, OutcomeUnknownError, RestreamError
from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async._retry.classification import Classification, classify_status
from restream_async.cli.errors import describe
from restream_async.cli.output.outcome_totals import Totals, is_not_sent
from restream_async.models import Origin

Span: TypeAlias = tuple[int, int]
"""The first and the last item of a block without gaps."""

# One byte for each item. 0 is the state of items without an outcome.
_OPEN, _ENDED, _NOT_SENT, _IN_DOUBT = range(4)


@attrs.frozen(kw_only=True)
class RunResult:
    """How a run went.

    Attributes:
        total: how many restreams there were to create.
        counts: the outcomes, counted by the run.
        by_first_attempt: how many the first attempt created.
        rejected: how many the service refused, and would refuse again.
        different: how many exist with another title or status than requested.
        examples: the text of the first error of each name.
        duplicates: copies that reconciliation found.
        unchecked: how many in doubt could not be checked by reconciliation.
        unknown: how many were sent and have no outcome, because the run was cut short.
        not_sent: the items that were not sent; if the run was cut short, also those in `unknown`.
        in_doubt: the items whose outcome says that they may or may not exist.
        seconds: how long the run took.
        signal_code: the exit code for the signal that stopped the run, or None.
        cut_short: whether a second signal cancelled the requests in flight.
        error: the error that ended the run early, or None.
        outage: why no request to the service succeeds, or an empty text.

    """

    total: int
    counts: BulkCounts
    by_first_attempt: int
    rejected: int = 0
    different: int = 0
    examples: dict[str, str]
    duplicates: tuple[Duplicate, ...]
    unchecked: int
    unknown: int = 0
    not_sent: tuple[Span, ...] = ()
    in_doubt: tuple[Span, ...] = ()
    seconds: float
    signal_code: int | None
    cut_short: bool
    error: RestreamError | None = None
    outage: str = ""

    @property
    def totals(self) -> Totals:
        """The outcomes by meaning; items that the run never read count as not sent."""
        totals = Totals.of(self.counts, self.error)
        return attrs.evolve(
            totals, not_sent=self.total - totals.done - totals.refused - self.unknown
        )

    @property
    def succeeded(self) -> bool:
        """Whether each restream exists, and none of them more than once."""
        extra = sum(len(each.extra) - len(each.deleted) for each in self.duplicates)
        return self.counts.created == self.total and not extra and self.error is None


class OutcomeRecorder:
    """Collects from the outcomes what the counts of a run do not show, in one byte per item."""

    def __init__(self, total: int) -> None:
        """Record the outcomes of `total` items."""
        self.by_first_attempt = 0
        self.rejected = 0
        self.different = 0
        self.examples: dict[str, str] = {}
        self._states = bytearray(total)

    def add(self, outcome: Outcome) -> None:
        """Record an outcome."""
        self._states[outcome.index] = _state(outcome)
        if isinstance(outcome, Created):
            self.by_first_attempt += outcome.attempts == 1 and outcome.origin is Origin.POSTED
            self.different += bool(outcome.differences)
        else:
            self.rejected += _is_rejected(outcome.error)
            name = type(outcome.error).__name__
            self.examples[name] = self.examples.get(name) or describe(outcome.error)

    @property
    def not_sent(self) -> tuple[Span, ...]:
        """The items that were not sent, or have no outcome."""
        return tuple(spans_of(self._states, _OPEN, _NOT_SENT))

    @property
    def in_doubt(self) -> tuple[Span, ...]:
        """The items that may or may not exist."""
        return tuple(spans_of(self._states, _IN_DOUBT))


def spans_of(table: bytearray, *values: int) -> Iterator[Span]:
    """Yield the blocks of a table with one byte for each item, in which it has these values."""
    for run in re.finditer(b"[%s]+" % re.escape(bytes(values)), table):
        yield run.start(), run.end() - 1


def _state(outcome: Outcome) -> int:
    if isinstance(outcome, Created):
        return _ENDED
    if is_not_sent(outcome):
        return _NOT_SENT
    return _IN_DOUBT if isinstance(outcome.error, OutcomeUnknownError) else _ENDED


def _is_rejected(error: RestreamError) -> bool:
    return isinstance(error, ApiError) and classify_status(error.status) is Classification.REFUSED
