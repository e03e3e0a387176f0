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

from benchmarks.inputs import restreams
from restream_async import RestreamClient

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


async def create(count: int, base_url: str) -> float:
    """Create so many; return the seconds of this process, not of the clock."""
    async with RestreamClient(base_url=base_url, project_id="p1", api_key="key") as client:
        began = time.process_time()
        async with client.create_many(restreams(count)) as run:
            async for _ in run:
                pass
        if run.counts.created != count:
            raise AssertionError(f"nginx creates everything, but: {run.counts}")
        return time.process_time() - began


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    found = _PEAK.search(status.read_text("utf-8")) if status.exists() else None
    if found is not None:
        # Of this program alone; what the other one counts may be its parent's.
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(count: int, base_url: str) -> None:
    seconds = asyncio.run(create(count, base_url))
    json.dump({"seconds": seconds, "peak": peak()}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
