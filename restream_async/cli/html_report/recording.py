"""Private: what happens while a run lasts, in bounded memory."""

import datetime as dt
import time
from typing import Final

import attrs

from restream_async import RestreamError
from restream_async._telemetry import AttemptSpan, ClientTelemetry, Telemetry
from restream_async.cli.html_report.failure_groups import Reasons
from restream_async.cli.html_report.histogram import Histogram
from restream_async.cli.html_report.timeline import Timeline


@attrs.define
class Recording:
    """What happened while a run lasted.

    Attributes:
        started: when it began.
        timeline: what it did over time.
        latencies: how long attempts took, in seconds.
        failures: how many attempts failed, by the reason.
        retries: how many requests were sent again, by the reason.

    """

    started: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))
    timeline: Timeline = attrs.field(factory=Timeline)
    latencies: Histogram = attrs.field(factory=Histogram)
    failures: Reasons = attrs.field(factory=Reasons)
    retries: Reasons = attrs.field(factory=Reasons)


@attrs.define
class RecordingTelemetry(Telemetry, ClientTelemetry):
    """Records the attempts and the retries of a client, in place of other telemetry.

    Attributes:
        recording: where they are recorded now.

    """

    recording: Recording = attrs.field(factory=Recording)

    def for_client(self, host: str, port: int) -> ClientTelemetry:
        """Return the hooks of the client."""
        del host, port
        return self

    def attempt(self, method: str, resends: int) -> AttemptSpan:
        """Return a span whose time and failure are recorded."""
        del method, resends
        return _Attempt(self.recording)

    def retried(self, error: RestreamError) -> None:
        """Record that a request is sent again because of an error."""
        self.recording.retries.add(error)


class _Attempt(AttemptSpan):
    """Records an attempt, unless it is cancelled."""

    __slots__ = ("_recording", "_start")

    def __init__(self, recording: Recording) -> None:
        self._recording: Final = recording
        self._start: Final = time.perf_counter()

    def ended(self, status: int, error: BaseException | None = None) -> None:
        del status
        if error is None or isinstance(error, RestreamError):
            self._recording.latencies.add(time.perf_counter() - self._start)
        if isinstance(error, RestreamError):
            self._recording.failures.add(error)
