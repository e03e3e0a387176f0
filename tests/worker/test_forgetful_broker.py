"""A broker that forgets: what is enqueued again is not created again."""

import signal
from pathlib import Path

import pytest

from restream_async.cli import main
from tests.helpers.background_servers import Backstage, csv

COUNT = 50


def work(stage: Backstage, *options: str) -> None:
    """Run a worker until no command is left."""
    stage.signal_when_all_done()
    assert main(["worker", *options]) == 0


@pytest.mark.parametrize("lose_streams", [False, True], ids=["keeps streams", "loses streams"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_enqueued_again_after_a_restart_of_the_server_each_restream_exists_once(
    number: signal.Signals,
    lose_streams: bool,  # noqa: FBT001 - a parameter of the test
    stage: Backstage,
    tmp_path: Path,
) -> None:
    file = csv(tmp_path, COUNT)
    for _ in range(3):
        assert main(["enqueue", file, "--quiet"]) == 0
        work(stage)
        stage.run(stage.nats.restart(number, lose_streams=lose_streams))

    assert len({each.stream_key for each in stage.sandbox.stored}) == COUNT
    assert len(stage.sandbox.stored) == COUNT
