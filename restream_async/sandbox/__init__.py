"""The service in miniature: all its endpoints, seeded faults, on a loopback port."""

from .counts import Counts, FaultCounts
from .faults import Fault, Faults
from .server import Latency, Sandbox
from .store import Stored

__all__ = ["Counts", "Fault", "FaultCounts", "Faults", "Latency", "Sandbox", "Stored"]
