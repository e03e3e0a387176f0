"""The cost of the existence checks of workers, on a real NATS server.

    python -m pip install -e '.[test]' && python -m benchmarks.worker_checks

The service takes 200 ms for every request, and one worker with a concurrency of 16 can make 80
requests a second. Each restream is a message of its own, as with `enqueue`. A video has 1 or 50 of
them, and the worker checks or trusts the stream. The four cases take turns.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from benchmarks import deadline, progress
from restream_async import NewRestream
from restream_async.handling.command_messages import encode
from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import WorkerProcess, all_processed, stored_count

LATENCY: Final = 0.2
CONCURRENCY: Final = 16
_ACK_WAIT: Final = 30.0
_TIMEOUT: Final = 120.0
"""Seconds for one run."""


@attrs.frozen
class Case:
    """One of the four cases: restreams of a video, and whether the stream is trusted."""

    for_each_video: int
    trust_stream: bool

    def __str__(self) -> str:
        """Return the case in words."""
        how = "--trust-stream" if self.trust_stream else "checked"
        return f"{self.for_each_video:2} for each video, {how}"


@attrs.frozen
class Cost:
    """Restreams a second, and requests for each restream."""

    rate: float
    requests: float


CASES: Final = tuple(Case(n, trust) for n in (1, 50) for trust in (False, True))


def main() -> int:
    """Measure all four, and print the medians."""
    arguments = _arguments()
    found: dict[Case, list[Cost]] = {way: [] for way in CASES}
    for turn in range(1, arguments.rounds + 1):
        for way, costs in found.items():
            with tempfile.TemporaryDirectory() as folder:
                run = _cost(Path(folder), way, arguments.count)
                costs.append(deadline.run(run, _TIMEOUT))
            progress.log(f"round {turn} of {arguments.rounds}: {text(way, costs[-1:])}")
    print("\n".join(text(way, costs) for way, costs in found.items()))
    return 0


def text(way: Case, costs: Iterable[Cost]) -> str:
    """Return one line with the medians."""
    costs = list(costs)
    rate, requests = median(c.rate for c in costs), median(c.requests for c in costs)
    return f"{way!s:<34} {rate:5.1f} restreams/s, {requests:.2f} requests for each"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker_checks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=600, help="restreams for each run (600)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, by turns (3)")
    return parser.parse_args()


async def _cost(folder: Path, way: Case, count: int) -> Cost:
    server = NatsServer(folder)
    await server.start()
    connection = await NatsOptions(url=server.url).connect()
    try:
        async with Sandbox(latency=LATENCY) as sandbox:
            jetstream = jetstream_of(connection)
            await declare_streams(jetstream, Subjects())
            await declare_consumer(
                jetstream, Subjects(), global_concurrency=CONCURRENCY, ack_wait=_ACK_WAIT
            )
            for number in range(count):
                command = encode(_wanted(number, way.for_each_video))
                await jetstream.publish("restreams.commands", command)
            os.environ["WORKER_LOG_LEVEL"] = "WARNING"
            options = ["--trust-stream"] if way.trust_stream else []
            worker = await WorkerProcess.start(
                folder, "w", server.url, sandbox, CONCURRENCY, CONCURRENCY, _ACK_WAIT, *options
            )
            # Before all slots are busy, and when messages run out, it is slower.
            warm, last = count // 6, count * 9 // 10
            await stored_count(sandbox, warm, 60)
            begin, first = time.monotonic(), len(sandbox.stored)
            await stored_count(sandbox, last, 60)
            rate = (len(sandbox.stored) - first) / (time.monotonic() - begin)
            await all_processed(connection, 60)
            await worker.end(signal.SIGTERM, 30)
            counts = sandbox.counts
            return Cost(rate, (counts.posts + counts.lists) / count)
    finally:
        await close(connection)
        await server.stop()


def _wanted(number: int, for_each_video: int) -> NewRestream:
    return NewRestream(
        video_id=f"v{number // for_each_video}",
        title=f"Title {number}",
        stream_url="rtmps://live.example.com/app",
        stream_key=f"key-{number:06}",
        status=True,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
