import json

import pytest

from restream_async.cli import main
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import SHOWN, Cli, create_with, no_secrets, plain, pseudo_terminal


def test_list_shows_a_table_without_keys_and_with_masked_urls(cli: Cli, sandbox: Sandbox) -> None:
    del sandbox
    create_with(cli, "[bold]Tom's\u202e show")
    create_with(cli, "Twitch", "--inactive")
    end = cli("list", "v1")
    assert end.code == 0
    first, second = [row for row in end.out.splitlines() if "rtmps" in row]
    assert first.split() == ["1", "[bold]Tom's", "show", "active", "rtmps://live.example.com/***"]
    assert second.split() == ["2", "Twitch", "inactive", "rtmps://live.example.com/***"]
    assert "2 restreams" in end.out
    assert no_secrets(end.out, end.err)


def test_list_cuts_nothing_off_where_there_is_no_terminal(cli: Cli, sandbox: Sandbox) -> None:
    del sandbox
    title = "word " * 60
    create_with(cli, title.strip())
    assert title.strip() in cli("list", "v1").out


def test_list_for_machines_prints_json_with_the_host_and_without_secrets(
    cli: Cli, sandbox: Sandbox
) -> None:
    del sandbox
    create_with(cli)
    create_with(cli, "YouTube", "--url", "srt://[2001:db8::7]:9000?streamid=path-in-url")
    end = cli("list", "v1", "--json")
    assert json.loads(end.out) == [
        SHOWN,
        {**SHOWN, "id": 2, "host": "[2001:db8::7]:9000"},
    ]
    assert no_secrets(end.out, end.err)


def test_list_on_a_terminal_fits_it(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox
    create_with(cli, "word " * 60 + "end")
    monkeypatch.setenv("COLUMNS", "60")
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["list", "v1"]) == 0
    assert "end" in screen()
    assert "\x1b[32mactive" in screen()


@pytest.mark.parametrize("width", [40, 80])
def test_list_breaks_nothing_apart_on_a_narrow_terminal(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    del sandbox
    create_with(cli)
    monkeypatch.setenv("COLUMNS", str(width))
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["list", "v1"]) == 0
    shown = plain(screen())
    # The stream URL, which a table would break at 40 columns.
    assert "rtmps://live.example.com/***" in shown
    assert all(len(row) <= width for row in shown.splitlines())
    assert ("id" in shown.split()) == (width == 80), "a table"
