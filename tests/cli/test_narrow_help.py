import re

import pytest

from restream_async.cli import app as app_module
from tests.helpers.command_line import Cli

COMMANDS = [
    *(str(command.name) for command in app_module.app.registered_commands),
    "dead",
    "dead list",
    "dead retry",
    "dead drop",
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_cuts_off_nothing_on_a_narrow_terminal(
    cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def help_at(width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        return cli(*command.split(), "--help").out

    wide = help_at(300)
    for columns in (40, 71, 72, 80):
        text = help_at(columns)
        assert all(len(row) <= columns for row in text.splitlines())
        assert wide.count("...") == text.count("...")
        assert wide.count("…") == text.count("…")
        assert not _words(wide) - _words(text)


def test_the_usage_of_a_module_breaks_only_between_words(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "program", lambda: "python -m restream_async.cli")
    monkeypatch.setenv("COLUMNS", "40")
    usage, _, _ = cli("toggle", "--help").out.partition("\n\n")
    assert usage == "Usage: python -m restream_async.cli\ntoggle [OPTIONS] {ID}"


def _words(text: str) -> set[str]:
    """Return the words of a help text without the types, which only tables always show."""
    return set(re.findall(r"[\w/:'.-]*\w", re.sub(r"<\w+>", "", text)))
