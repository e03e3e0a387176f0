import json
import os

import pytest

from restream_async.cli import main
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, create_with


def test_toggle_says_what_it_is_now(cli: Cli, sandbox: Sandbox) -> None:
    create_with(cli)
    assert cli("toggle", "1").out == "Restream 1 is now inactive.\n"
    assert not sandbox.stored[0].status
    assert cli("toggle", "1").out == "Restream 1 is now active.\n"
    assert json.loads(cli("toggle", "1", "--json").out) == {"id": 1, "status": False}


def test_a_reader_that_went_away_is_no_trouble(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_with(cli)
    reading, writing = os.pipe()
    os.close(reading)
    # Closing the file flushes it, as Python does when it exits.
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["toggle", "1"]) == 0
    assert not sandbox.stored[0].status
