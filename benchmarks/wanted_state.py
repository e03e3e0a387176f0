"""The memory and time of an apply, and of a plan afterwards, for many wanted restreams.

    python -m benchmarks.wanted_state

The service is a sandbox in a process of its own. The apply, which creates everything, and the plan,
which then finds everything in sync, are processes of their own too. Exits with 1 if one takes more
memory than it may, or lists a video more often than it may.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypedDict

from benchmarks import progress
from benchmarks.service import Address, Service
from benchmarks.size.measured import peak
from restream_async import NewRestream, RestreamClient
from restream_async.sandbox import Faults

_MB: Final = 1e6
_MOST_MEMORY: Final = 150 * _MB
_TIMEOUT: Final = 3600.0
"""Seconds for one run."""


class _Run(TypedDict):
    """What a run took, and how many changes it made or left to make."""

    seconds: float
    peak: int
    changes: int


def main() -> int:
    """Run what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.wanted_state",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=100_000, help="wanted restreams (100,000)")
    parser.add_argument("--videos", type=int, default=20_000, help="their videos (20,000)")
    parser.add_argument("--run", choices=["plan", "apply"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        run = asyncio.run(_measured(arguments.run, arguments.count, arguments.videos))
        json.dump(run, sys.stdout)
        return 0
    return _compare(arguments.count, arguments.videos)


def _wanted(count: int, videos: int) -> Iterator[NewRestream]:
    """Yield restreams whose texts are all new, as if a file were read."""
    for number in range(count):
        destination = number // videos
        yield NewRestream(
            video_id=f"v{number % videos:08}",
            title=f"Destination {destination}",
            stream_url=f"rtmps://live{destination}.example.com:443/app",
            stream_key=f"key-{number:012}-0123456789",
            status=number % 2 == 0,
        )


async def _measured(kind: str, count: int, videos: int) -> _Run:
    began = time.perf_counter()
    changes = 0
    with tempfile.TemporaryDirectory() as folder:
        async with RestreamClient() as client:
            wanted = _wanted(count, videos)
            journal = Path(folder) / "apply.db"
            work = client.plan(wanted) if kind == "plan" else client.apply(wanted, journal=journal)
            async with work as run:
                async for change in run:
                    changes += not change.is_in_sync
                    if change.error is not None:
                        raise change.error
    return {"seconds": time.perf_counter() - began, "peak": peak(), "changes": changes}


def _compare(count: int, videos: int) -> int:
    failed = False
    with Service(faults=Faults(), seed=1) as service:
        before = 0
        for kind, changes, most_lists in (("apply", count, 2), ("plan", 0, 1)):
            run = _run(kind, count, videos, service.address)
            after = service.final_state().counts.lists
            lists, before = after - before, after
            failed = failed or (
                run["peak"] > _MOST_MEMORY
                or run["changes"] != changes
                or lists > most_lists * videos
            )
            print(
                f"{kind} of {count:,} wanted restreams of {videos:,} videos: "
                f"{run['peak'] / _MB:.0f} MB (at most {_MOST_MEMORY / _MB:.0f}), "
                f"{lists / videos:.2f} lists a video (at most {most_lists}), "
                f"{run['changes']:,} changes, {run['seconds']:.0f} s"
            )
    return int(failed)


def _run(kind: str, count: int, videos: int, address: Address) -> _Run:
    progress.log(f"{kind} begins")
    done = subprocess.run(  # noqa: S603 - our own program
        [
            *(sys.executable, "-m", "benchmarks.wanted_state", "--run", kind),
            *("--count", str(count), "--videos", str(videos)),
        ],
        check=True,
        timeout=_TIMEOUT,
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "RESTREAM_BASE_URL": address.base_url,
            "RESTREAM_PROJECT_ID": address.project_id,
            "RESTREAM_API_KEY": address.api_key,
        },
    )
    run: _Run = json.loads(done.stdout)
    return run


if __name__ == "__main__":
    sys.exit(main())
