"""Throughput over worker processes.

    python -m pip install -e '.[test]' && python -m benchmarks.worker_scaling

A service that takes 200 ms, and 1, 2 and 4 workers of 16 places each: the cap is 16 for each
worker, so the ideal is 80 creations a second for each. Efficiency is the measured rate over that.
What is measured is the steady state: from the first 10 % of the creations to the last 10 %.
Exits with 1 if four workers do less than 90 % of the ideal.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import deadline, progress
from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.names import Names
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.topology import declare_streams
from tests.worker.fleet import WorkerProcess, publish_all, stored_count
from tests.worker.nats_server import NatsServer

LATENCY: Final = 0.2
PLACES: Final = 16
WORKERS: Final = (1, 2, 4)
COUNT_EACH: Final = 500
ROUNDS: Final = 3
_GOOD: Final = 0.9
_PATIENCE: Final = 300.0
"""Seconds for one run: each takes about ten."""


async def _rate(folder: Path, workers: int) -> float:
    """Return creations a second."""
    server = NatsServer(folder)
    await server.start()
    connection = await NatsOptions(url=server.url).connect()
    count = COUNT_EACH * workers
    try:
        async with Sandbox(latency=LATENCY) as sandbox:
            jetstream = jetstream_of(connection)
            await declare_streams(jetstream, Names())
            await declare_consumer(jetstream, Names(), in_flight=PLACES * workers, ack_wait=30.0)
            await publish_all(connection, count)
            processes = [
                await WorkerProcess.start(
                    folder, f"w{n}", server.url, sandbox, PLACES, PLACES * workers, 30.0
                )
                for n in range(workers)
            ]
            await stored_count(sandbox, count // 10, 60)
            begin, first = time.monotonic(), len(sandbox.stored)
            await stored_count(sandbox, count * 9 // 10, 120)
            rate = (len(sandbox.stored) - first) / (time.monotonic() - begin)
            for process in processes:
                await process.end(signal.SIGTERM, 30)
            return rate
    finally:
        await close(connection)
        await server.stop()


def _plot(rates: Mapping[int, float], path: Path) -> None:
    from benchmarks.drawing import bars  # noqa: PLC0415 - only who wants a plot needs the extra
    from benchmarks.drawing.bars import Bar, Panel  # noqa: PLC0415
    from benchmarks.drawing.page import Heading  # noqa: PLC0415

    rows = [
        [Bar(value=rate, text=f"{rate:.0f} of {_ideal(workers):.0f}", ours=True)]
        for workers, rate in rates.items()
    ]
    bars.draw(
        path,
        Heading(
            title="Restreams a second, by worker processes",
            subtitle=f"A service that takes {LATENCY * 1000:.0f} ms, {PLACES} in flight for each "
            "worker; the line is what that allows",
        ),
        [f"{workers} worker{'s' if workers > 1 else ''}" for workers in rates],
        [Panel(rows=rows, marks=[_ideal(workers) for workers in rates])],
    )


def _ideal(workers: int) -> float:
    return workers * PLACES / LATENCY


def main() -> int:
    """Measure, print, and draw where a path is given."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker_scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plot", type=Path, nargs="?", help="where to draw it (extra `bench`)")
    plot: Path | None = parser.parse_args().plot
    os.environ["WORKER_LOG_LEVEL"] = "WARNING"
    found: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for turn in range(1, ROUNDS + 1):
        # Alternating, so that a busy machine is equally bad for all.
        for workers in WORKERS:
            with tempfile.TemporaryDirectory() as folder:
                rate = deadline.run(_rate(Path(folder), workers), _PATIENCE)
            found[workers].append(rate)
            progress.say(f"round {turn} of {ROUNDS}, {workers} workers: {rate:.1f}/s")
    rates = {workers: statistics.median(values) for workers, values in found.items()}
    for workers, rate in rates.items():
        ideal = _ideal(workers)
        print(f"{workers} workers: {rate:6.1f}/s, ideal {ideal:.0f}/s, {rate / ideal:.0%}")
    if plot is not None:
        _plot(rates, plot)
    most = max(WORKERS)
    return 0 if rates[most] >= _GOOD * _ideal(most) else 1


if __name__ == "__main__":
    sys.exit(main())
