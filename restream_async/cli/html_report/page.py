"""Private: the report as HTML, made from a template by Jinja, of the extra `report`."""

from collections.abc import Sequence
from typing import Final

import attrs
import jinja2

from restream_async import __version__
from restream_async.cli.html_report.charts import latency_chart, load_chart, rate_chart
from restream_async.cli.html_report.contents import Contents
from restream_async.cli.html_report.histogram import Histogram
from restream_async.cli.html_report.recording import Recording
from restream_async.cli.html_report.timeline import Timeline
from restream_async.cli.output.console import format_duration

_MILLISECONDS: Final = 1000


@attrs.frozen
class _Table:
    """A table with the numbers of a chart."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@attrs.frozen
class _Share:
    """What numbers count, and the share of the first one in the largest, in percent."""

    text: str
    counts: Sequence[int]
    percent: float


def page(contents: Contents, recording: Recording) -> str:
    """Return a report as one HTML file.

    Args:
        contents: what became of the run.
        recording: what happened while it ran.

    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("restream_async.cli", "html_report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    timeline, latencies = recording.timeline, recording.latencies
    return environment.get_template("report.html.jinja").render(
        number="{:,}".format,
        seconds=_seconds,
        duration=format_duration,
        contents=contents,
        remarks=_shares([(text, (count,)) for count, text in contents.remarks]),
        started=recording.started,
        version=__version__,
        timeline=timeline,
        intervals=_intervals(timeline),
        outages=_outages(timeline),
        rate=rate_chart(timeline) if timeline.intervals else None,
        load=load_chart(timeline) if timeline.intervals else None,
        latencies=latencies,
        times=_times(latencies),
        latency=latency_chart(latencies) if latencies.count else None,
        causes=_causes(recording),
    )


def _intervals(timeline: Timeline) -> _Table:
    headings = ("from", "to", "done", "failed", "per second", "in flight", "limit")
    return _Table(
        headings,
        [
            (
                _seconds(each.start),
                _seconds(each.end),
                f"{each.done:,}",
                f"{each.failed:,}",
                f"{(each.done + each.failed) / each.seconds:,.1f}",
                f"{each.in_flight:,.1f}",
                f"{each.limit:,.1f}",
            )
            for each in timeline.intervals
        ],
    )


def _outages(timeline: Timeline) -> _Table:
    rows = [
        (_seconds(each.start), _seconds(each.end), format_duration(each.end - each.start))
        for each in timeline.outages
    ]
    return _Table(("from", "to", "duration"), rows)


def _times(latencies: Histogram) -> _Table:
    rows = [(_seconds(bar.start), _seconds(bar.end), f"{bar.count:,}") for bar in latencies.bars()]
    return _Table(("from", "to", "requests"), rows)


def _causes(recording: Recording) -> Sequence[_Share]:
    """Return how many attempts failed for each reason, and how many were made because of it."""
    failed, again = recording.failures.counts, recording.retries.counts
    return _shares([(each.text, (failed[each], again[each])) for each in failed | again])


def _shares(rows: Sequence[tuple[str, Sequence[int]]]) -> Sequence[_Share]:
    """Return numbers for a chart of bars, the largest first."""
    most = max((max(counts) for _, counts in rows), default=0)
    ordered = sorted(rows, key=lambda row: [*row[1]], reverse=True)
    return [_Share(text, counts, 100 * counts[0] / most) for text, counts in ordered]


def _seconds(seconds: float) -> str:
    """Return a time in three digits, such as `12.5 ms` or `1.25 s`."""
    if 0 < seconds < 1:
        return f"{seconds * _MILLISECONDS:.3g} ms"
    return f"{seconds:.3g} s" if seconds < _MILLISECONDS else f"{seconds:,.0f} s"
