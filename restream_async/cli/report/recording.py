"""Private: what happens while a run lasts, in bounded memory."""

import datetime as dt

import attrs

from restream_async.cli.report.failure_groups import Reasons
from restream_async.cli.report.histogram import Histogram
from restream_async.cli.report.timeline import Timeline


@attrs.define
class Recording:
    """What happened while a run lasted.

    Attributes:
        started: when it began.
        timeline: what it did over time.
        latencies: how long attempts took, in seconds.
        retries: how many requests were sent again, by the reason.

    """

    started: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))
    timeline: Timeline = attrs.field(factory=Timeline)
    latencies: Histogram = attrs.field(factory=Histogram)
    retries: Reasons = attrs.field(factory=Reasons)
