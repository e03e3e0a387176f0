"""Several worker processes on a real NATS server, through kills, restarts and a loss of streams."""

from pathlib import Path

from benchmarks import worker_fleet
from restream_async.sandbox import Faults


async def test_after_kills_restarts_and_repeated_enqueuing_each_restream_exists_once(
    tmp_path: Path,
) -> None:
    assert await worker_fleet.run(tmp_path, Faults(), count=150) == []
