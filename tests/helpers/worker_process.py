"""One worker process, as `restream-async worker` runs it, with everything logged."""

import logging
import os
import sys

from restream_async import RestreamClient
from restream_async._retry.policy import RetryPolicy
from restream_async.cli.event_loop import run_async
from restream_async.worker.nats_connection import NatsOptions
from restream_async.worker.run import run_worker
from restream_async.worker.settings import WorkerSettings


def client() -> RestreamClient:
    return RestreamClient(timeout=5.0, retry=RetryPolicy(base=0.05, cap=0.5, deadline=20.0))


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("WORKER_LOG_LEVEL", "DEBUG"), stream=sys.stderr)
    settings = WorkerSettings(
        concurrency=int(sys.argv[1]),
        global_concurrency=int(sys.argv[2]),
        ack_wait=float(sys.argv[3]),
        shutdown_timeout=3.0,
        redelivery=RetryPolicy(attempts=10, base=0.2, cap=1.0),
        trust_stream="--trust-stream" in sys.argv,
    )
    run_async(run_worker(NatsOptions.resolve(), settings, client))
