"""A recorded run with everything that a report can show, and with text that would break a page."""

import random
from typing import Final

from restream_async import BadRequestError
from restream_async._bulk.report import BulkCounts, Duplicate
from restream_async.cli.html_report.contents import MOST_PLACES, Contents, creations
from restream_async.cli.html_report.failure_groups import FailedItems
from restream_async.cli.html_report.recording import Recording
from restream_async.cli.input.line_numbers import LineNumbers
from restream_async.cli.output.run_result import RunResult
from restream_async.errors import BackendFetchFailedError, Call, TransportError
from restream_async.stats import Stats

HOSTILE: Final = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 1 }}"
_CALL: Final = Call("POST", "/api/v1/p1/restreams", "v1")
_BAD: Final = BadRequestError(_CALL, status=400, reason="Bad Request", errors=[HOSTILE])
_LOST: Final = TransportError(_CALL, detail="connection lost (reset by peer)", sent=True)
_BUSY: Final = BackendFetchFailedError(_CALL, status=503, reason="Backend fetch failed")


def recorded(count: int, *, every: float = 0.1) -> Recording:
    """Return the recording of a run with an outage in its middle, always the same one.

    Args:
        count: how many samples were taken.
        every: seconds between two samples.

    """
    recording = Recording()
    chance = random.Random(count)  # noqa: S311 - no secret
    done = failed = 0
    for step in range(count):
        is_open = count // 2 <= step < count * 3 // 5
        done += 0 if is_open else 9
        failed += 0 if is_open else step % 2
        stats = Stats(
            in_flight=1 if is_open else chance.randint(30, 40),
            limit=64 if step < count // 4 else 40,
            waiting=0,
            attempts=0,
            retries=0,
            budget_left=0,
            state="open" if is_open else "closed",
        )
        recording.timeline.sample((step + 1) * every, done, failed, stats)
        for _ in range(10):
            recording.latencies.add(chance.lognormvariate(-2, 1))
    for error, failed, again in ((_LOST, 7, 0), (_BUSY, 1_234, 1_200), (_BAD, 2, 2)):
        for _ in range(failed):
            recording.failures.add(error)
        for _ in range(again):
            recording.retries.add(error)
    return recording


def contents(count: int) -> Contents:
    """Return what became of the run: a restream of ten existed, and one of ten failed."""
    failed = FailedItems()
    for item in range(0, count, 10):
        failed.add(item, _BAD)
    result = RunResult(
        total=count,
        counts=BulkCounts(
            posted=count * 7 // 10,
            confirmed=count // 10,
            existing=count // 10,
            failed={"BadRequestError": count // 10},
        ),
        by_first_attempt=count * 6 // 10,
        examples={},
        duplicates=(Duplicate(index=4, video_id=HOSTILE, kept=1, extra=(2,)),),
        unchecked=0,
        seconds=count / 10,
        signal_code=None,
        cut_short=False,
    )
    lines = LineNumbers(range(2, count + 2))
    return creations(
        f"Bulk run of {HOSTILE}.csv",
        result,
        failed,
        place=lambda index: f"line {lines[index]}",
        places=lambda spans: lines.describe(spans, most=MOST_PLACES),
    )
