"""What a journal costs: the same bulk run with and without one, in turns.

    python -m pip install -e '.[test]' && python -m benchmarks.journal

The service is a sandbox in a process of its own, which answers at once: the worst case, as all time
is the client's. Prints the ratio of the throughputs, pair by pair, and their median.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.inputs import restreams
from benchmarks.service import Address, Service
from restream_async import RestreamClient
from restream_async.sandbox import Faults


async def _throughput(address: Address, count: int, journal: Path | None) -> float:
    async with RestreamClient(
        base_url=address.base_url, project_id=address.project_id, api_key=address.api_key
    ) as client:
        began = time.perf_counter()
        async with client.create_many(restreams(count), journal=journal) as run:
            async for _ in run:
                pass
        return count / (time.perf_counter() - began)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--pairs", type=int, default=7)
    arguments = parser.parse_args()
    ratios: list[float] = []
    for number in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            found: list[float] = []
            for journal in (None, Path(folder) / "run.db"):
                with Service(faults=Faults(), seed=number) as service:
                    creating = _throughput(service.address, arguments.count, journal)
                    found.append(asyncio.run(creating))
        ratios.append(found[1] / found[0])
        print(f"without {found[0]:,.0f}/s, with {found[1]:,.0f}/s: ratio {ratios[-1]:.3f}")
    print(f"median ratio {median(ratios):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
