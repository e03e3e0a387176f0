"""Several worker processes on a real NATS server: killed, ended and cut off, they lose nothing."""

import asyncio
import signal
from pathlib import Path

from nats.aio.client import Client

from restream_async.sandbox import Sandbox
from restream_async.worker.consumer import declare_consumer
from restream_async.worker.names import Names
from restream_async.worker.nats_options import jetstream_of
from restream_async.worker.topology import declare_streams

from .fleet import BAD, WorkerProcess, all_done, documents, publish_all, stored_count, wanted
from .nats_server import NatsServer

COUNT = 300
CAP = 12


async def test_through_kills_and_a_restart_of_nats_each_restream_is_created_exactly_once(
    nats_server: NatsServer, connection: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.latency = 0.1
    jetstream = jetstream_of(connection)
    await declare_streams(jetstream, Names())
    await declare_consumer(jetstream, Names(), in_flight=CAP, ack_wait=3.0)
    await publish_all(connection, COUNT)
    workers = [
        await WorkerProcess.start(tmp_path, f"worker{n}", nats_server.url, sandbox, 8, CAP, 3.0)
        for n in range(3)
    ]
    killed, ended, last = workers

    await stored_count(sandbox, COUNT // 6, 20)
    assert await killed.end(signal.SIGKILL) == -signal.SIGKILL
    await stored_count(sandbox, COUNT // 3, 20)
    assert await ended.end(signal.SIGTERM) == 0
    await stored_count(sandbox, COUNT // 2, 20)
    await nats_server.restart()
    await all_done(connection, 40)
    assert await last.end(signal.SIGTERM) == 0

    await sandbox.settle()
    keys = sorted(item.stream_key for item in sandbox.stored)
    assert keys == sorted(wanted(number).stream_key for number in range(COUNT))
    assert sandbox.counts.max_in_flight <= CAP
    dead = await documents(connection, "RESTREAMS_DEAD")
    assert len(dead) == len(BAD)
    outcomes = await documents(connection, "RESTREAMS_OUTCOMES")
    assert sum(each["outcome"] == "created" for each in outcomes) == COUNT
    told = [*(worker.log for worker in workers), nats_server.log, str(dead), str(outcomes)]
    assert not any("SECRET" in text or sandbox.api_key in text for text in told)
    await asyncio.sleep(0)
