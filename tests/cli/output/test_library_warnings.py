import logging
import sys

import pytest

from restream_async.cli.output.console import console_on
from restream_async.cli.output.library_warnings import shown_warnings
from restream_async.cli.output.progress_display import LiveDisplay
from tests.cli.output.test_progress_rendering import MIDWAY
from tests.helpers.command_line import Cli, Terminal


def warn(text: str) -> None:
    logging.getLogger("restream_async.worker").warning(text)


def test_a_warning_is_one_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    no_logging(monkeypatch)
    with shown_warnings():
        warn("circuit breaker \x1b[2J open")
        logging.getLogger("restream_async").info("nothing for people")
    warn("after the end")

    assert capsys.readouterr() == ("", "Warning: circuit breaker [2J open\n")


def no_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take pytest's own handlers away, as in a process that sets up no logging."""
    monkeypatch.setattr(logging.root, "handlers", [])


def test_it_stands_above_a_live_picture_which_is_drawn_anew_below_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_logging(monkeypatch)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with monkeypatch.context() as patch, shown_warnings():
        patch.setattr("sys.stderr", stream)
        display = LiveDisplay(console_on(sys.stderr))
        display.open()
        display.show(MIDWAY)
        picture = stream.getvalue()
        warn("circuit breaker open")
        erased, warning, drawn = stream.getvalue()[len(picture) :].partition(
            "Warning: circuit breaker open"
        )
        display.close()

    lines = picture.count("\n")
    assert erased.count("\x1b[1A\x1b[2K") == lines, "the picture is erased, and no line above it"
    assert warning
    assert "in flight" in drawn


def test_a_command_that_logs_shows_it_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_warnings():
        warn("once is enough")

    assert capsys.readouterr() == ("", "")


def test_every_command_shows_warnings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(_: object) -> int:
        warn("the service masks keys")
        return 0

    monkeypatch.setattr("restream_async.cli.app._run", command)
    no_logging(monkeypatch)

    ended = cli("list", "v1")
    assert ended.err == "Warning: the service masks keys\n"
