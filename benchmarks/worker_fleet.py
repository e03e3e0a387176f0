"""Kill workers, end workers and restart NATS under 2,000 commands.

    python -m pip install -e '.[test]' && python -m benchmarks.worker_fleet

Three worker processes on a real NATS server, a sandbox that takes 200 ms and fails one creation in
eight. One worker gets SIGKILL, one SIGTERM, the server is restarted once. In the end every
restream is there exactly once, and the dead letters are the bad commands; else it exits with 1.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from benchmarks import deadline
from restream_async.sandbox import Fault, Faults, Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.names import Names
from restream_async.worker.nats_options import NatsOptions, close, jetstream_of
from restream_async.worker.topology import declare_streams
from tests.worker.fleet import (
    BAD,
    WorkerProcess,
    all_done,
    documents,
    publish_all,
    stored_count,
    wanted,
)
from tests.worker.nats_server import NatsServer

COUNT: Final = 2000
CAP: Final = 48
PLACES: Final = 24
ACK_WAIT: Final = 5.0
_PATIENCE: Final = 900.0
"""Seconds for one run."""
FAULTS: Final = Faults(
    before={Fault.INTERNAL_ERROR: 0.02, Fault.BACKEND_FETCH_FAILED: 0.02, Fault.RESET: 0.01},
    after={Fault.BACKEND_FETCH_FAILED: 0.04, Fault.RESET: 0.02, Fault.GARBAGE: 0.02},
)


async def _run(folder: Path, faults: Faults) -> list[str]:
    """Return what is wrong in the end."""
    server = NatsServer(folder)
    await server.start()
    connection = await NatsOptions(url=server.url).connect()
    try:
        async with Sandbox(latency=0.2, faults=faults) as sandbox:
            return await _through(server, connection, sandbox, folder)
    finally:
        await close(connection)
        await server.stop()


async def _through(
    server: NatsServer, connection: Client, sandbox: Sandbox, folder: Path
) -> list[str]:
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Names())
    await declare_consumer(jetstream, Names(), in_flight=CAP, ack_wait=ACK_WAIT)
    await publish_all(connection, COUNT)
    begin = time.monotonic()
    workers = [
        await WorkerProcess.start(folder, f"worker{n}", server.url, sandbox, PLACES, CAP, ACK_WAIT)
        for n in range(3)
    ]
    killed, ended, last = workers
    await stored_count(sandbox, COUNT // 5, 120)
    await killed.end(signal.SIGKILL)
    await stored_count(sandbox, COUNT * 2 // 5, 120)
    codes = [await ended.end(signal.SIGTERM)]
    await stored_count(sandbox, COUNT * 3 // 5, 120)
    await server.restart()
    await all_done(connection, 240)
    codes.append(await last.end(signal.SIGTERM))
    took = time.monotonic() - begin
    await sandbox.settle()

    counts = sandbox.counts
    keys = [item.stream_key for item in sandbox.stored]
    dead = await documents(connection, "RESTREAMS_DEAD")
    outcomes = await documents(connection, "RESTREAMS_OUTCOMES")
    created = [each for each in outcomes if each["outcome"] == "created"]
    again = sum(each["delivery"] > 1 for each in created)
    print(
        f"{len(keys)} stored of {COUNT} in {took:.1f} s; {counts.faults.total} faults, "
        f"{again} came by a later delivery, {len(dead)} dead letters, at most "
        f"{counts.max_in_flight} of {CAP} in flight"
    )
    told = [*(worker.log for worker in workers), server.log, str(dead), str(outcomes)]
    checks = {
        "a restream is there twice": len(set(keys)) == len(keys),
        "a restream is missing": set(keys) == {wanted(n).stream_key for n in range(COUNT)},
        "a dead letter is not of a bad command": all(
            each["errorType"] == "UnusableMessage" for each in dead
        ),
        "a bad command is no dead letter": len(dead) == len(BAD),
        "an outcome is missing or doubled": len(created) == COUNT,
        "the cap was exceeded": counts.max_in_flight <= CAP,
        "a worker did not end well": codes == [0, 0],
        "a key was told": not any("SECRET" in text or sandbox.api_key in text for text in told),
    }
    return [problem for problem, well in checks.items() if not well]


def main() -> int:
    """Run it without faults and with them."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.worker_fleet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    wrong: list[str] = []
    for faults in (Faults(), FAULTS):
        with tempfile.TemporaryDirectory() as folder:
            wrong += deadline.run(_run(Path(folder), faults), _PATIENCE)
    print("wrong: " + "; ".join(wrong) if wrong else "all well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
