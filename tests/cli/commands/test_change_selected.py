"""Restreams of many videos are listed and changed at the same time, until a signal comes."""

import json
import signal
from pathlib import Path

import pytest

from restream_async import OutageError, Restream, RestreamClient
from restream_async.cli import main
from restream_async.errors import Call, CallError, ForbiddenError, OutcomeUnknownError
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import (
    Cli,
    interrupt_when,
    no_secrets,
    plain,
    pseudo_terminal,
)
from tests.helpers.selected_restreams import fill, statuses

CALL = Call("GET", "/list", "v1")
FORBIDDEN = ForbiddenError(CALL, status=403, reason="Forbidden", attempts=1)
REAL_LIST = RestreamClient.list
REAL_SET_STATUS = RestreamClient.set_status


def refuse_list_of(monkeypatch: pytest.MonkeyPatch, *videos: str) -> None:
    async def list_(client: RestreamClient, video_id: str) -> list[Restream]:
        if video_id in videos:
            raise FORBIDDEN
        return await REAL_LIST(client, video_id)

    monkeypatch.setattr("restream_async.RestreamClient.list", list_)


def fail_change_of(monkeypatch: pytest.MonkeyPatch, errors: dict[int | str, CallError]) -> None:
    async def set_status(client: RestreamClient, restream: Restream, on: bool) -> Restream:  # noqa: FBT001 - as the real one
        if restream.id in errors:
            raise errors[restream.id]
        return await REAL_SET_STATUS(client, restream, on)

    monkeypatch.setattr("restream_async.RestreamClient.set_status", set_status)


def test_a_video_that_cannot_be_listed_does_not_hinder_the_others(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path)
    refuse_list_of(monkeypatch, "v1")
    end = cli("disable", "v1", "v2", "--yes", "--json")
    assert end.code == 1
    assert end.err == (
        "Error: the restreams of v1 could not be listed: 403 Forbidden: GET /list (video 'v1'), 1 "
        "attempt\n"
        "3 restreams: 3 switched off. 1 video could not be listed.\n"
    )
    first, *others = map(json.loads, end.out.splitlines())
    assert first == {
        "outcome": "failed",
        "videoId": "v1",
        "errorType": "ForbiddenError",
        "error": "403 Forbidden: GET /list (video 'v1'), 1 attempt",
        "httpStatus": 403,
    }
    assert [line["outcome"] for line in others] == ["changed"] * 3
    assert statuses(sandbox) == [True] * 3 + [False] * 3


def test_if_no_video_can_be_listed_nothing_is_changed(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path)
    refuse_list_of(monkeypatch, "v1", "v2")
    end = cli("disable", "v1", "v2")
    assert (end.code, end.out) == (1, "")
    assert end.err.splitlines()[-1] == "2 videos could not be listed."
    assert statuses(sandbox) == [True] * 6


def test_a_wrong_key_ends_the_command_at_once(
    cli: Cli, sandbox: Sandbox, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("RESTREAM_API_KEY", "another-key")
    end = cli("disable", *(f"v{number}" for number in range(500)))
    assert end.code == 2
    assert end.err.startswith("Error: 401 Unauthorized")
    assert end.err.count("\n") == 1
    assert sandbox.counts.lists < 500


def test_what_fails_is_listed_and_the_rest_is_done(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path, videos=1)
    unknown = OutcomeUnknownError(CALL, doubt=FORBIDDEN, attempts=1, note="look")
    fail_change_of(monkeypatch, {1: FORBIDDEN, 2: unknown})
    end = cli("disable", "v1", "--yes", "--json")
    assert end.code == 1
    assert end.err == (
        "Error: v1: YouTube (restream 1) was not switched off: 403 Forbidden: GET /list (video "
        "'v1'), 1 attempt\n"
        "Error: v1: Twitch (restream 2) may or may not have been switched off: it is unknown "
        "whether it took effect, after: 403 Forbidden: GET /list (video 'v1'), 1 attempt; look\n"
        "3 restreams: 1 switched off, 1 failed, 1 in doubt.\n"
    )
    failed, in_doubt, changed = map(json.loads, end.out.splitlines())
    assert (failed["outcome"], failed["status"]) == ("failed", True)
    assert (failed["errorType"], failed["httpStatus"]) == ("ForbiddenError", 403)
    assert (in_doubt["outcome"], in_doubt["status"]) == ("unknown", None)
    assert in_doubt["errorType"] == "OutcomeUnknownError"
    assert (changed["outcome"], changed["status"]) == ("changed", False)
    assert no_secrets(end.out, end.err)
    assert statuses(sandbox) == [True, True, False]


def test_in_an_outage_the_rest_is_not_sent(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path, videos=1)
    fail_change_of(monkeypatch, {1: OutageError(CALL)})
    end = cli("disable", "v1", "--yes")
    assert end.code == 1
    assert end.err.endswith("3 restreams: 1 failed, 2 not sent.\n")
    assert sandbox.counts.toggles == 0


def test_in_an_outage_nothing_is_listed_any_more(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    async def fail(*_: object) -> list[Restream]:
        raise OutageError(CALL)

    monkeypatch.setattr("restream_async.RestreamClient.list", fail)
    end = cli("disable", "v1", "v2")
    assert (end.code, end.out) == (1, "")
    assert end.err.startswith("Error: the service is out, and did not recover")
    assert end.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["v9"], "v9 has no restream: see restream-async list v9"),
        (
            ["v1", "--title", "Owm", "--destination", "media.example"],
            "v1 has no restream to media.example with the title 'Owm': see restream-async list v1",
        ),
        (
            ["v8", "v9", "--destination", "a.example"],
            "2 videos, such as v8, have no restream to a.example: see restream-async list v8",
        ),
    ],
)
def test_if_nothing_is_selected_it_says_so_and_fails(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    fill(cli, tmp_path, videos=1)
    end = cli("disable", *arguments)
    assert (end.code, end.out, end.err) == (1, "", f"Error: {sentence}\n")
    assert sandbox.counts.toggles == 0


def test_a_video_without_such_restreams_is_named(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path, videos=1)
    end = cli("disable", "v1", "v9", "--title", "Own")
    assert end.code == 0
    assert end.err == ("v9 has no restream with the title 'Own'.\n1 restream: 1 switched off.\n")
    assert statuses(sandbox) == [True, True, False]


def test_a_full_disk_stops_no_change_and_is_said(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path, videos=1)
    with Path("/dev/full").open("w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["disable", "v1", "--yes"]) == 1
    assert statuses(sandbox) == [False] * 3


def test_long_listing_shows_how_far_it_is(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox
    monkeypatch.setattr("restream_async.cli.output.progress_display.LOG_EVERY", 0.0)
    fill(cli, tmp_path)
    end = cli("disable", "v1", "v2", "--yes")
    assert "  1 of 2 videos listed\n" in end.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_change_changes_nothing(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    fill(cli, tmp_path)
    sandbox.latency = 60.0

    with interrupt_when(lambda: sandbox.counts.in_flight > 1, number=number):
        end = cli("disable", "v1", "v2", "--yes")
    assert (end.code, end.out) == (code, "")
    assert end.err == "Error: interrupted: nothing was switched off\n"
    assert sandbox.counts.toggles == 0


def test_ctrl_c_finishes_what_is_in_flight_and_says_what_was_done(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path, videos=4)
    sandbox.latency, sandbox.list_latency = 0.3, 0.0

    with interrupt_when(lambda: sandbox.counts.toggles >= 4):
        end = cli("disable", "v1", "v2", "v3", "v4", "--yes")
    assert end.code == 130
    assert end.err == (
        "Stopping: requests in flight are finished first. Ctrl-C again stops at once.\n"
        "12 restreams: 4 switched off, 8 not sent.\n"
    )
    assert end.out.count("is now inactive") == statuses(sandbox).count(False) == 4


def test_ctrl_c_does_not_wait_for_a_service_that_hangs(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restream_async._operations.draining.STOP_GRACE", 0.1)
    fill(cli, tmp_path, videos=2)
    sandbox.latency, sandbox.list_latency = 60.0, 0.0

    with interrupt_when(lambda: sandbox.counts.toggles >= 2):
        end = cli("disable", "v1", "v2", "--yes", "--json")
    assert end.code == 130
    assert end.err.endswith("6 restreams: 2 in doubt, 4 not sent.\n")
    assert end.err.count("may or may not have been switched off") == 2
    assert [json.loads(line)["outcome"] for line in end.out.splitlines()] == ["unknown"] * 2


def test_a_second_ctrl_c_ends_at_once(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(cli, tmp_path, videos=2)
    sandbox.latency, sandbox.list_latency = 60.0, 0.0

    with interrupt_when(lambda: sandbox.counts.toggles >= 2, cli.says_stopping):
        end = cli("disable", "v1", "v2", "--yes", "--json")
    assert end.code == 130
    assert (
        "Error: v1: YouTube (restream 1) may or may not have been switched off: interrupted\n"
    ) in end.err
    assert end.err.endswith("6 restreams: 2 in doubt, 4 not sent.\n")
    lines = [json.loads(line) for line in end.out.splitlines()]
    assert [(line["outcome"], line["status"]) for line in lines] == [("unknown", None)] * 2


@pytest.mark.parametrize("width", [40, 80])
def test_on_a_terminal_nothing_is_cut_off(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    del sandbox
    fill(cli, tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    with pseudo_terminal(monkeypatch) as screen:
        assert main(["delete", "--video", "v1", "--video", "v2", "--yes"]) == 0
    shown = plain(screen())
    assert all(len(line) <= width for line in shown.splitlines())
    words = " ".join(shown.split())
    for word in ("rtmp://media.example:1936/***", "v2: YouTube (restream 4) was deleted."):
        assert word in words
    assert "…" not in shown
