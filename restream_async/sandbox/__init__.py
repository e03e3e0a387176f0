"""The service in miniature: all its endpoints, seeded faults, on a loopback port."""

from restream_async.sandbox.counts import Counts, FaultCounts
from restream_async.sandbox.faults import Fault, Faults
from restream_async.sandbox.planned_failures import PlannedFailure
from restream_async.sandbox.restream_store import Stored
from restream_async.sandbox.sandbox import Sandbox
from restream_async.sandbox.server import Latency

__all__ = [
    "Counts",
    "Fault",
    "FaultCounts",
    "Faults",
    "Latency",
    "PlannedFailure",
    "Sandbox",
    "Stored",
]
