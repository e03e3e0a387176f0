"""The cost of a journal: the same bulk run with and without one, in turns.

    python -m pip install -e '.[test]' && python -m benchmarks.journal

The service is a sandbox in a process of its own, which answers at once. That is the worst case,
because all time is the client's. Prints the ratio of the throughputs of each pair, and their
median.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import bulk_run, deadline
from benchmarks.service import Service
from restream_async.sandbox import Faults

_TIMEOUT: Final = 600.0
"""Seconds for one run."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.journal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=4000, help="creations of a run (4,000)")
    parser.add_argument("--pairs", type=int, default=7, help="runs of each kind (7)")
    arguments = parser.parse_args()
    ratios: list[float] = []
    for number in range(arguments.pairs):
        with tempfile.TemporaryDirectory() as folder:
            found: list[float] = []
            for journal in (None, Path(folder) / "run.db"):
                with Service(faults=Faults(), seed=number) as service:
                    creating = bulk_run.create(
                        service.address, arguments.count, clock=time.perf_counter, journal=journal
                    )
                    found.append(arguments.count / deadline.run(creating, _TIMEOUT))
        ratios.append(found[1] / found[0])
        print(f"without {found[0]:,.0f}/s, with {found[1]:,.0f}/s: ratio {ratios[-1]:.3f}")
    print(f"median ratio {median(ratios):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
