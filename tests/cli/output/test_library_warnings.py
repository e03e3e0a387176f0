import logging

import pytest

from restream_async.cli.output.library_warnings import shown_warnings
from tests.helpers.command_line import Cli


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
