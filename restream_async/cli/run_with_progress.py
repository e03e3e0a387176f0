"""Private: carries out a bulk run with progress and stop signals, for `bulk` and `demo`."""

import time
from collections.abc import Awaitable, Callable

from restream_async import Outcome, RestreamClient, RestreamError
from restream_async._bulk.run import BulkRun
from restream_async.cli.errors import outage_of
from restream_async.cli.html_report.run_report import NO_REPORT, Report
from restream_async.cli.output.outcome_totals import Totals
from restream_async.cli.output.progress_display import Display, ProgressTicker
from restream_async.cli.output.progress_rendering import STOPPING
from restream_async.cli.output.progress_state import ProgressMeter
from restream_async.cli.output.run_result import OutcomeRecorder, RunResult
from restream_async.cli.signals import StopSignals


async def run_with_progress(  # noqa: PLR0913 - what a run needs
    client: RestreamClient,
    run: BulkRun,
    *,
    total: int,
    display: Display,
    report: Report = NO_REPORT,
    on_outcome: Callable[[Outcome], Awaitable[bool]] | None = None,
) -> RunResult:
    """Carry out a run, and show its progress.

    Args:
        client: the client of the run.
        run: the run.
        total: how many restreams it creates.
        display: shows the progress.
        report: records the run.
        on_outcome: gets every outcome; returns false to stop the run after the requests in flight.

    Raises:
        JournalError: the run could not begin.

    """
    recorder = OutcomeRecorder(total)
    start = time.monotonic()
    meter = ProgressMeter(lambda: run.counts, client.stats, total=total, now=time.monotonic)

    def stop() -> None:
        meter.stopping = True
        display.note(STOPPING)
        run.stop()

    def progress() -> tuple[int, int]:
        totals = Totals.of(run.counts)
        return totals.created + totals.existing, totals.failed + totals.in_doubt

    async with (
        StopSignals(stop) as signals,
        run,
        ProgressTicker(display, meter),
        report.record(progress, client.stats),
    ):
        try:
            async for outcome in run:
                recorder.add(outcome)
                report.add(outcome)
                if on_outcome is not None and not await on_outcome(outcome):
                    run.stop()
        except RestreamError as error:
            meter.ended_by = error
    return RunResult(
        total=total,
        counts=run.counts,
        by_first_attempt=recorder.by_first_attempt,
        rejected=recorder.rejected,
        different=recorder.different,
        examples=recorder.examples,
        duplicates=run.duplicates,
        unchecked=run.unchecked,
        unknown=run.unknown,
        not_sent=recorder.not_sent,
        in_doubt=recorder.in_doubt,
        seconds=time.monotonic() - start,
        signal_code=signals.exit_code,
        cut_short=signals.cut_short,
        error=meter.ended_by,
        outage=outage_of(client.stats(), any_success=run.counts.created > 0),
    )
