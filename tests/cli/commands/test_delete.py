import json
from pathlib import Path

import pytest

from restream_async import NotFoundError, RestreamClient
from restream_async.errors import Call
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, Terminal, create_with, no_secrets
from tests.helpers.selected_restreams import fill


def test_delete_says_when_the_service_did_not_do_it(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    async def no(*_: object) -> bool:
        return False

    monkeypatch.setattr("restream_async.RestreamClient.delete", no)
    end = cli("delete", "1", "--yes")
    assert end.code == 1
    assert end.err == (
        "Error: the service did not delete restream 1, and gave no reason: check whether it still "
        "exists with restream-async list VIDEO_ID\n"
    )


def test_delete_for_machines_prints_json(cli: Cli, sandbox: Sandbox) -> None:
    create_with(cli)
    end = cli("delete", "1", "--yes", "--json")
    assert (end.code, json.loads(end.out)) == (0, {"outcome": "deleted", "id": "1"})
    assert not sandbox.stored


def test_delete_video_shows_its_restreams_and_deletes_them(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path)
    end = cli("delete", "--video", "v1", "--yes")
    assert end.code == 0
    assert end.out == (
        "v1: YouTube (restream 1) was deleted.\n"
        "v1: Twitch (restream 2) was deleted.\n"
        "v1: Own (restream 3) was deleted.\n"
    )
    assert "  2    Twitch    active   rtmp://live.twitch.tv/***" in end.err
    assert end.err.endswith("\n3 restreams: 3 deleted.\n")
    assert no_secrets(end.out, end.err)
    assert {restream.video_id for restream in sandbox.stored} == {"v2"}


def test_delete_takes_videos_from_options_and_from_a_file(
    cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(cli, tmp_path, videos=3)
    file = tmp_path / "videos.txt"
    file.write_text("v2\n")
    options = ["--file", file, "--destination", "live.twitch.tv", "--yes", "--json"]
    end = cli("delete", "--video", "v1", *options)
    assert end.code == 0
    lines = map(json.loads, end.out.splitlines())
    assert {(line["outcome"], line["videoId"], line["id"]) for line in lines} == {
        ("deleted", "v1", 2),
        ("deleted", "v2", 5),
    }
    assert [restream.id for restream in sandbox.stored] == [1, 3, 4, 6, 7, 8, 9]


def test_delete_video_asks_even_for_one(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(cli, tmp_path, videos=1)
    end = cli("delete", "--video", "v1", "--title", "Own", stdin=Terminal("n\n"))
    assert end.code == 0
    assert end.err.endswith("Delete 1 restream of 1 video? [y/N] Nothing was deleted.\n")
    end = cli("delete", "--video", "v1", "--title", "Own", stdin=Terminal("y\n"))
    assert end.code == 0
    assert [restream.id for restream in sandbox.stored] == [1, 2]


def test_delete_video_says_which_the_service_did_not_delete(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cli, tmp_path, videos=1)
    call = Call("DELETE", "/restreams/2")

    async def delete(client: RestreamClient, restream_id: int | str) -> bool:
        del client
        if restream_id == 2:
            raise NotFoundError(call, status=404, reason="Not Found")
        return restream_id == 1

    monkeypatch.setattr("restream_async.RestreamClient.delete", delete)
    end = cli("delete", "--video", "v1", "--yes")
    assert end.code == 1
    assert "v1: Twitch (restream 2) was deleted.\n" in end.out, "another program was faster"
    assert end.err.endswith(
        "Error: v1: Own (restream 3) was not deleted: the service gave no reason\n"
        "3 restreams: 2 deleted, 1 failed.\n"
    )
    assert len(sandbox.stored) == 3


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ([], ""),
        (["1", "--video", "v1"], ""),
        (["1", "--file", "videos.txt"], ""),
        (["--title", "T"], ": --destination and --title select restreams of those"),
        (["1", "--title", "T"], ": --destination and --title select restreams of those"),
    ],
)
def test_delete_needs_either_an_id_or_videos(
    cli: Cli, sandbox: Sandbox, arguments: list[str], more: str
) -> None:
    create_with(cli)
    end = cli("delete", *arguments, "--yes")
    assert (end.code, end.out) == (2, "")
    assert (
        end.err
        == ("Error: name either the ID of a restream, or live videos with --video or --file" + more)
        + "\n"
    )
    assert len(sandbox.stored) == 1
