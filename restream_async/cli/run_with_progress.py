"""One bulk run under a display, with Ctrl-C: what `demo` and `bulk` have in common."""

import re
import time
from collections.abc import Awaitable, Callable

import attrs

from restream_async import (
    ApiError,
    Created,
    Outcome,
    OutcomeUnknownError,
    RestreamClient,
    RestreamError,
)
from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async._bulk.run import BulkRun
from restream_async._retry.classification import Classification, classify_status
from restream_async.cli.errors import told
from restream_async.cli.input.line_numbers import Span
from restream_async.cli.output.progress import STOPPING, Display, Ticker
from restream_async.cli.output.progress_state import Meter
from restream_async.cli.output.totals import Totals, is_unsent
from restream_async.cli.signals import Interrupts
from restream_async.models import Origin

# What is known of each item, in one byte. The first is that of items without an outcome.
_OPEN, _ENDED, _NOT_SENT, _IN_DOUBT = range(4)


@attrs.frozen(kw_only=True)
class RunSummary:
    """How a run went.

    Attributes:
        total: how many restreams there were to create.
        counts: what became of them.
        at_once: how many the first attempt created.
        rejected: how many the service answered with a refusal, and would again.
        different: how many exist with another title or status than asked.
        examples: the text of the first error of each name.
        duplicates: what turned up after doubt.
        unchecked: how many in doubt could not be looked for again.
        unknown: how many were sent and have no outcome, as the run was cut short.
        not_sent: which items were not sent; where it was cut short, also those.
        in_doubt: which items may exist or not, as their outcome says.
        seconds: how long it took.
        signal_code: the exit code that a signal asks for, or None.
        cut_short: whether a second signal came, and what was in flight was dropped.
        error: why the run ended by itself before its end, or None.
        last_error: the latest failure of the service, if nothing has succeeded since.
        reached: whether the service has ever answered.

    """

    total: int
    counts: BulkCounts
    at_once: int
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
    last_error: str = ""
    reached: bool = True

    @property
    def totals(self) -> Totals:
        """The outcomes by what they mean; what has none and was not sent is counted as such."""
        totals = Totals.of(self.counts, self.error)
        return attrs.evolve(
            totals, not_sent=self.total - totals.done - totals.refused - self.unknown
        )

    @property
    def is_perfect(self) -> bool:
        """Whether all exist, and none of them turned up twice."""
        extra = sum(len(each.extra) - len(each.deleted) for each in self.duplicates)
        return self.counts.created == self.total and not extra and self.error is None


@attrs.define
class _Record:
    """What the outcomes of a run say, besides their counts."""

    marks: bytearray
    at_once: int = 0
    rejected: int = 0
    different: int = 0
    examples: dict[str, str] = attrs.Factory(dict[str, str])

    def add(self, outcome: Outcome) -> None:
        """Note an outcome."""
        self.marks[outcome.index] = _mark(outcome)
        if isinstance(outcome, Created):
            self.at_once += outcome.attempts == 1 and outcome.origin is Origin.POSTED
            self.different += bool(outcome.differences)
        else:
            self.rejected += _is_rejected(outcome.error)
            name = type(outcome.error).__name__
            self.examples[name] = self.examples.get(name) or told(outcome.error)

    def spans(self, *marks: int) -> tuple[Span, ...]:
        """Return the items of these marks, as those that follow each other."""
        runs = re.finditer(b"[%s]+" % re.escape(bytes(marks)), self.marks)
        return tuple((run.start(), run.end() - 1) for run in runs)


def _mark(outcome: Outcome) -> int:
    if isinstance(outcome, Created):
        return _ENDED
    if is_unsent(outcome):
        return _NOT_SENT
    return _IN_DOUBT if isinstance(outcome.error, OutcomeUnknownError) else _ENDED


def _is_rejected(error: RestreamError) -> bool:
    return isinstance(error, ApiError) and classify_status(error.status) is Classification.REFUSED


async def run_with_progress(
    client: RestreamClient,
    run: BulkRun,
    *,
    total: int,
    display: Display,
    heed: Callable[[Outcome], Awaitable[bool]],
) -> RunSummary:
    """Carry out a run, and show how it goes.

    Args:
        client: whose run it is.
        run: what to do.
        total: how many restreams it creates.
        display: where to show it.
        heed: gets every outcome; false: stop, and finish what is in flight.

    Raises:
        JournalError: the run could not begin.

    """
    record = _Record(bytearray(total))
    start = time.monotonic()
    meter = Meter(lambda: run.counts, client.stats, total=total, now=time.monotonic)

    def stop() -> None:
        meter.stopping = True
        display.note(STOPPING)
        run.stop()

    async with Interrupts(stop) as interrupts, run, Ticker(display, meter):
        try:
            async for outcome in run:
                record.add(outcome)
                if not await heed(outcome):
                    run.stop()
        except RestreamError as error:
            meter.ended_by = error
    stats = client.stats()
    return RunSummary(
        total=total,
        counts=run.counts,
        at_once=record.at_once,
        rejected=record.rejected,
        different=record.different,
        examples=record.examples,
        duplicates=run.duplicates,
        unchecked=run.unchecked,
        unknown=run.unknown,
        not_sent=record.spans(_OPEN, _NOT_SENT),
        in_doubt=record.spans(_IN_DOUBT),
        seconds=time.monotonic() - start,
        signal_code=interrupts.exit_code,
        cut_short=interrupts.cut_short,
        error=meter.ended_by,
        last_error=stats.last_error,
        reached=stats.reached,
    )
