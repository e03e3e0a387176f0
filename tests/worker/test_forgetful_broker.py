"""A broker that forgets: restreams enqueued again are not created again."""

import signal
from pathlib import Path

import pytest

from restream_async.cli import main
from tests.helpers.background_servers import BackgroundServers, csv

COUNT = 50


def work(servers: BackgroundServers, *options: str) -> None:
    """Run a worker until all commands are processed."""
    servers.signal_when_all_processed()
    assert main(["worker", *options]) == 0


@pytest.mark.parametrize("lose_streams", [False, True], ids=["keeps streams", "loses streams"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_restart_of_the_server_and_repeated_enqueuing_each_restream_exists_once(
    number: signal.Signals,
    lose_streams: bool,  # noqa: FBT001 - a parameter of the test
    servers: BackgroundServers,
    tmp_path: Path,
) -> None:
    file = csv(tmp_path, COUNT)
    for _ in range(3):
        assert main(["enqueue", file, "--quiet"]) == 0
        work(servers)
        servers.run(servers.nats.restart(number, lose_streams=lose_streams))

    assert len({each.stream_key for each in servers.sandbox.stored}) == COUNT
    assert len(servers.sandbox.stored) == COUNT
