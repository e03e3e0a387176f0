"""One bulk run under a display, with Ctrl-C: what `demo` and `bulk` have in common."""

import time
from collections.abc import Awaitable, Callable

import attrs

from restream_async import Created, JournalError, Origin, Outcome, RestreamClient
from restream_async.bulk import BulkRun
from restream_async.cli.interrupts import Interrupts
from restream_async.cli.pace import Meter
from restream_async.cli.progress import Display, Ticker
from restream_async.report import BulkCounts, Duplicate

_STOPPING = "Stopping: what is in flight is finished first. Ctrl-C again stops at once."


@attrs.frozen(kw_only=True)
class Ride:
    """How a run went.

    Attributes:
        total: how many restreams there were to create.
        counts: what became of them.
        at_once: how many the first attempt created.
        examples: the text of the first error of each name.
        duplicates: what turned up after doubt.
        unchecked: how many in doubt could not be looked for again.
        seconds: how long it took.
        signal_code: the exit code that a signal asks for, or None.
        cut_short: whether a second signal came, and what was in flight was dropped.
        journal_error: why the journal could not be written any more, or None.

    """

    total: int
    counts: BulkCounts
    at_once: int
    examples: dict[str, str]
    duplicates: tuple[Duplicate, ...]
    unchecked: int
    seconds: float
    signal_code: int | None
    cut_short: bool
    journal_error: JournalError | None = None

    @property
    def failed(self) -> int:
        """How many were not created."""
        return sum(self.counts.failed.values())

    @property
    def is_perfect(self) -> bool:
        """Whether all were created, and none of them turned up twice."""
        extra = sum(len(each.extra) - len(each.deleted) for each in self.duplicates)
        return self.counts.created == self.total and not extra and self.journal_error is None


def at_first_go(outcome: Outcome) -> bool:
    """Say whether the first attempt created it, without any doubt on the way."""
    return (
        isinstance(outcome, Created) and outcome.origin is Origin.POSTED and outcome.attempts == 1
    )


async def drive(
    client: RestreamClient,
    run: BulkRun,
    *,
    total: int,
    display: Display,
    heed: Callable[[Outcome], Awaitable[bool]],
) -> Ride:
    """Carry out a run, and show how it goes.

    Args:
        client: whose run it is.
        run: what to do.
        total: how many restreams it creates.
        display: where to show it.
        heed: gets every outcome; false: stop, and finish what is in flight.

    """
    at_once = 0
    examples: dict[str, str] = {}
    start = time.monotonic()
    meter = Meter(lambda: run.counts, client.stats, total=total, now=time.monotonic)

    def stop() -> None:
        display.note(_STOPPING)
        run.stop()

    journal_error: JournalError | None = None
    async with Ticker(display, meter), Interrupts(stop) as interrupts, run:
        try:
            async for outcome in run:
                if isinstance(outcome, Created):
                    at_once += at_first_go(outcome)
                else:
                    name = type(outcome.error).__name__
                    examples[name] = examples.get(name) or str(outcome.error)
                if not await heed(outcome):
                    run.stop()
        except JournalError as error:
            journal_error = error
    return Ride(
        total=total,
        counts=run.counts,
        at_once=at_once,
        examples=examples,
        duplicates=run.duplicates,
        unchecked=run.unchecked,
        seconds=time.monotonic() - start,
        signal_code=interrupts.exit_code,
        cut_short=interrupts.cut_short,
        journal_error=journal_error,
    )
