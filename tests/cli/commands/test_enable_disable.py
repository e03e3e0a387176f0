"""`enable` and `disable`, and with them the options that select restreams."""

import json
from pathlib import Path

import attrs
import pytest

from restream_async import Restream, RestreamClient
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import Cli, CtrlC, Terminal, at_once, no_secrets
from tests.helpers.selected_restreams import fill, statuses


def test_disable_switches_off_what_is_on_and_enable_switches_it_on_again(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path)
    end = cli("disable", "v1", "--yes")
    assert end.code == 0
    assert end.out == (
        "v1: YouTube (restream 1) is now inactive.\n"
        "v1: Twitch (restream 2) is now inactive.\n"
        "v1: Own (restream 3) is now inactive.\n"
    )
    assert end.err == "3 restreams: 3 switched off.\n"
    assert statuses(sandbox) == [False] * 3 + [True] * 3

    end = cli("enable", "v1", "v2", "--yes")
    assert end.code == 0
    assert "v1: Own (restream 3) is now active.\n" in end.out
    assert end.err == "6 restreams: 3 switched on, 3 active already.\n"
    assert statuses(sandbox) == [True] * 6


def test_run_again_it_toggles_nothing(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(cli, tmp_path)
    cli("disable", "v1", "--yes")
    end = cli("disable", "v1")
    assert (end.code, end.out, end.err) == (0, "", "3 restreams: 3 inactive already.\n")
    assert sandbox.counts.toggles == 3


@pytest.mark.parametrize(
    ("options", "switched"),
    [
        (["--destination", "LIVE.twitch.tv"], [2]),
        (["--destination", "media.example"], [3]),
        (["--destination", "media.example:1936"], [3]),
        (["--title", "YouTube"], [1]),
        (["--title", "Own", "--title", "Twitch"], [2, 3]),
        (["--title", "Own", "--destination", "media.example"], [3]),
        (["--destination", "live.twitch.tv", "--destination", "a.rtmps.youtube.com"], [1, 2]),
    ],
)
def test_options_select_restreams(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, options: list[str], switched: list[int]
) -> None:
    fill(cli, tmp_path, videos=1)
    assert cli("disable", "v1", "--yes", *options).code == 0
    assert [restream.id for restream in sandbox.stored if not restream.status] == switched


def test_one_restream_is_switched_without_a_question(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path, videos=1)
    end = cli("disable", "v1", "--title", "Twitch")
    assert (end.code, end.err) == (0, "1 restream: 1 switched off.\n")
    assert statuses(sandbox) == [True, False, True]


def test_without_a_terminal_more_than_one_needs_a_yes(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path)
    end = cli("disable", "v1", "v2", "--title", "Twitch")
    assert (end.code, end.out) == (2, "")
    assert end.err.splitlines()[-1] == (
        "Error: without a terminal there is no way to ask: pass --yes to switch off without being "
        "asked"
    )
    assert "v2      5    Twitch   active   rtmp://live.twitch.tv/***" in end.err
    assert no_secrets(end.err)
    assert sandbox.counts.toggles == 0


@pytest.mark.parametrize(("answer", "on"), [("y", False), ("n", True)])
def test_a_terminal_shows_what_changes_and_asks(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, answer: str, *, on: bool
) -> None:
    fill(cli, tmp_path)
    end = cli("disable", "v1", "v2", stdin=Terminal(f"{answer}\n"))
    assert end.code == 0
    assert "6 restreams" in end.err
    assert "Switch off 6 restreams of 2 videos? [y/N] " in end.err
    assert ("Nothing was switched off.\n" in end.err) is on
    assert statuses(sandbox) == [on] * 6


def test_ctrl_c_answers_the_question_with_no(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(cli, tmp_path)
    end = cli("disable", "v1", stdin=CtrlC("y\n"))
    assert end.code == 130
    assert end.err.endswith("[y/N] \nError: interrupted: nothing was switched off\n")
    assert statuses(sandbox) == [True] * 6


def test_json_has_a_line_for_each_restream(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(cli, tmp_path)
    cli("disable", "v1", "--title", "Own")
    end = cli("disable", "v1", "v2", "--title", "Own", "--yes", "--json")
    assert end.code == 0
    assert sorted(map(json.loads, end.out.splitlines()), key=lambda line: line["id"]) == [
        {
            "outcome": outcome,
            "id": restream_id,
            "videoId": video,
            "title": "Own",
            "status": False,
            "host": "media.example:1936",
        }
        for outcome, restream_id, video in (("unchanged", 3, "v1"), ("changed", 6, "v2"))
    ]
    assert statuses(sandbox) == [True, True, False] * 2


def test_lost_answers_are_checked_and_not_toggled_again(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    fill(cli, tmp_path)
    sandbox.faults = Faults(other={Fault.RESET: 1.0})
    end = cli("disable", "v1", "v2", "--yes")
    assert (end.code, end.err) == (0, "6 restreams: 6 switched off.\n")
    assert statuses(sandbox) == [False] * 6
    assert sandbox.counts.toggles == 6


def test_an_enabled_restream_whose_list_names_no_video_is_still_named(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path, videos=1)
    real = RestreamClient.list

    async def without_video(client: RestreamClient, video_id: str) -> list[Restream]:
        return [attrs.evolve(each, video_id="") for each in await real(client, video_id)]

    monkeypatch.setattr("restream_async.RestreamClient.list", without_video)
    end = cli("disable", "v1", "--title", "Own")
    assert end.out == "v1: Own (restream 3) is now inactive.\n"
    assert statuses(sandbox) == [True, True, False]
