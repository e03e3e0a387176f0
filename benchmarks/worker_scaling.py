"""Throughput over worker processes: `python -m benchmarks.worker_scaling [PLOT.svg]`.

A service that takes 200 ms, and 1, 2 and 4 workers of 16 places each: the cap is 16 for each
worker, so the ideal is 80 creations a second for each. Efficiency is the measured rate over that.
What is measured is the steady state: from the first 10 % of the creations to the last 10 %.
"""

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

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


def _plot(rates: dict[int, float], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only who wants a plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(8.6, 3.2), layout="constrained")
    names = [f"{workers} worker{'s' if workers > 1 else ''}" for workers in rates]
    ideal = [workers * PLACES / LATENCY for workers in rates]
    axes.barh(names, ideal, color="#d0d7de", height=0.6)
    axes.barh(names, list(rates.values()), color="#0072b2", height=0.35)
    for row, (rate, best) in enumerate(zip(rates.values(), ideal, strict=True)):
        axes.text(best, row, f"  {rate:.0f}/s of {best:.0f}/s: {rate / best:.0%}", va="center")
    axes.set_xlim(0, max(ideal) * 1.35)
    axes.invert_yaxis()
    axes.set_xlabel("restreams a second (grey: what the cap allows)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"A service that takes {LATENCY * 1000:.0f} ms, 16 in flight for each worker")
    figure.savefig(path)


def main() -> int:
    """Measure, print, and draw where a path is given."""
    os.environ["WORKER_LOG_LEVEL"] = "WARNING"
    found: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for _ in range(ROUNDS):
        # Alternating, so that a busy machine is equally bad for all.
        for workers in WORKERS:
            with tempfile.TemporaryDirectory() as folder:
                found[workers].append(asyncio.run(_rate(Path(folder), workers)))
    rates = {workers: statistics.median(values) for workers, values in found.items()}
    for workers, rate in rates.items():
        ideal = workers * PLACES / LATENCY
        print(f"{workers} workers: {rate:6.1f}/s, ideal {ideal:.0f}/s, {rate / ideal:.0%}")
    if len(sys.argv) > 1:
        _plot(rates, Path(sys.argv[1]))
    return 0 if rates[4] >= 0.9 * 4 * PLACES / LATENCY else 1


if __name__ == "__main__":
    sys.exit(main())
