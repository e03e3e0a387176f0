"""Several worker processes on a real NATS server, through kills, restarts and a loss of streams."""

from pathlib import Path

from benchmarks import worker_fleet
from restream_async.sandbox import Faults


async def test_whatever_is_killed_or_restarted_and_enqueued_again_each_restream_exists_once(
    tmp_path: Path,
) -> None:
    assert await worker_fleet.run(tmp_path, Faults(), count=150) == []
