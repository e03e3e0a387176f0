"""The process that is measured: `python -m benchmarks.size.measured COUNT BASE_URL`.

It creates so many from a generator, and prints what that took as JSON.
"""

import asyncio
import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks import bulk_run
from benchmarks.service import Address

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    found = _PEAK.search(status.read_text("utf-8")) if status.exists() else None
    if found is not None:
        # VmHWM is of this program alone; ru_maxrss may be that of its parent.
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(count: int, base_url: str) -> None:
    address = Address(base_url=base_url, gcore_url="", project_id="p1", api_key="key")
    # The CPU time of this process.
    seconds = asyncio.run(bulk_run.create(address, count, clock=time.process_time))
    json.dump({"seconds": seconds, "peak": peak()}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
