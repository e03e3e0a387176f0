"""`bulk --destinations`: every video to every destination."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from restream_async.cli.input import check
from restream_async.cli.input.formats import BadLine, Row
from restream_async.sandbox import Sandbox
from tests.helpers.command_line import Cli, outcomes
from tests.helpers.examples import new

TOML = """
[[destinations]]
title = "YouTube: {title}"
stream_url = "rtmps://a.rtmps.youtube.com/live2"
stream_key_env = "YOUTUBE_KEY"

[[destinations]]
title = "Twitch: {title}"
stream_url = "rtmp://live.twitch.tv/app"
stream_key_file = "keys/{channel}"

[[destinations]]
title = "Own"
stream_url = "rtmp://media.example.com/{videoId}"
stream_key_column = "key"
status = false
"""
VIDEOS = "videoId,title,channel,key\nv1,One,a,SECRET-1\n\nv2,Two,b,SECRET-2\n"
WANTED = {
    ("v1", "YouTube: One", "SECRET-youtube", True),
    ("v1", "Twitch: One", "SECRET-a", True),
    ("v1", "Own", "SECRET-1", False),
    ("v2", "YouTube: Two", "SECRET-youtube", True),
    ("v2", "Twitch: Two", "SECRET-b", True),
    ("v2", "Own", "SECRET-2", False),
}


@pytest.fixture
def destinations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOUTUBE_KEY", "SECRET-youtube")
    (tmp_path / "keys").mkdir()
    for name in "ab":
        (tmp_path / "keys" / name).write_text(f"SECRET-{name}\n")
    (tmp_path / "destinations.toml").write_text(TOML)
    return tmp_path / "destinations.toml"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    (tmp_path / "videos.csv").write_text(VIDEOS)
    return tmp_path / "videos.csv"


def stored(sandbox: Sandbox) -> set[tuple[str, str, str, bool]]:
    return {(each.video_id, each.title, each.stream_key, each.status) for each in sandbox.stored}


def test_every_video_goes_to_every_destination_once_however_often_it_is_run(
    cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    first = cli("bulk", videos, "--destinations", destinations)
    second = cli("bulk", videos, "--destinations", destinations)

    assert (first.code, second.code) == (0, 0)
    assert stored(sandbox) == WANTED
    assert sandbox.counts.posts == 6
    assert [each["line"] for each in outcomes(first.out)] == [2, 2, 2, 4, 4, 4]
    assert {each["outcome"] for each in outcomes(second.out)} == {"existing"}
    assert Path(f"{videos}.journal").exists()
    assert "SECRET" not in first.out + first.err + second.out + second.err


def test_another_destination_is_all_that_a_later_run_creates(
    cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    cli("bulk", videos, "--destinations", destinations)
    more = TOML.replace('stream_url = "rtmp://live', 'stream_url = "rtmps://new')
    destinations.write_text(TOML + more[more.index("[[", 3) :].partition("\n\n")[0])

    assert cli("bulk", videos, "--destinations", destinations).code == 0
    assert sandbox.counts.posts == 8


@pytest.mark.parametrize(
    "data",
    [
        VIDEOS.encode(),
        b"\xef\xbb\xbf" + VIDEOS.replace("\n", "\r\n").encode(),
        gzip.compress(VIDEOS.replace(",", ";").encode(), mtime=0),
    ],
    ids=["plain", "of Windows", "compressed"],
)
def test_standard_input_compression_and_files_of_windows_work_as_for_restreams(
    data: bytes, cli: Cli, sandbox: Sandbox, destinations: Path
) -> None:
    end = cli("bulk", "-", "--destinations", destinations, stdin=data)

    assert end.code == 0
    assert stored(sandbox) == WANTED
    assert [each["line"] for each in outcomes(end.out)] == [2, 2, 2, 4, 4, 4]


def test_a_dry_run_counts_restreams_and_videos(
    cli: Cli, settings: object, videos: Path, destinations: Path
) -> None:
    del settings
    end = cli("bulk", videos, "--destinations", destinations, "--dry-run")

    assert end.code == 0
    assert "6 restreams for 2 live videos" in end.err


def test_every_problem_is_found_before_anything_is_sent(
    cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    videos.write_text(VIDEOS + "v3,Three,c,SECRET-3\nv4,Four,a,\nv1,Five,a,SECRET-5\n")

    end = cli("bulk", videos, "--destinations", destinations)

    assert end.code == 2
    assert f"{videos}:5: destination 2: streamKey is missing: the file keys/{{channel}}" in end.err
    assert f"{videos}:6: destination 3: streamKey needs a text in the column key" in end.err
    assert f"{videos}:7: has the video of line 2 again" in end.err
    assert "3 lines of" in end.err
    assert sandbox.counts.posts == 0
    assert "SECRET" not in end.out + end.err


@pytest.mark.parametrize(
    ("old", "now", "reason"),
    [
        ("{title}", "{tittle}", "destination 1 of PATH uses {tittle}: add the column, or correct"),
        ("YOUTUBE_KEY", "NO_KEY", "destination 1 of PATH: stream_key is missing: set the variable"),
        ("rtmps://", "", "destination 1 of PATH: stream_url must have a scheme and a host"),
    ],
)
def test_wrong_destinations_are_one_sentence(
    old: str, now: str, reason: str, cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    destinations.write_text(TOML.replace(old, now))

    end = cli("bulk", videos, "--destinations", destinations)

    assert end.code == 2
    assert reason.replace("PATH", str(destinations)) in end.err
    assert sandbox.counts.posts == 0


def test_rejects_of_a_list_of_videos_are_refused(
    cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    end = cli("bulk", videos, "--destinations", destinations, "--rejects", "rejects.csv")

    assert end.code == 2
    assert "--rejects does not work with --destinations: leave it out" in end.err
    assert sandbox.counts.posts == 0


def test_a_warning_names_each_line_once(
    cli: Cli, settings: object, videos: Path, destinations: Path
) -> None:
    del settings
    videos.write_text("videoId,title,channel,key,notes\n1E+9,T,a,k1,\nv2,T,b,k2,'a\n")
    with videos.open("a") as file:
        file.write('v3,T,b,k3,"two\nlines"\n')

    end = cli("bulk", videos, "--destinations", destinations, "--dry-run")

    assert end.code == 0
    assert f"Warning: line 2 of {videos}: videoId is a number" in end.err
    assert f"Warning: line 4 of {videos}: a cell of a column" in end.err


@pytest.mark.parametrize("option", ["--output", "--journal"])
def test_the_destinations_are_never_overwritten(
    option: str, cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path
) -> None:
    end = cli("bulk", videos, "--destinations", destinations, option, destinations, "--force")

    assert end.code == 2
    assert f"the destinations {destinations} are the same file" in end.err
    assert destinations.read_text() == TOML
    assert sandbox.counts.posts == 0


def test_a_key_that_is_gone_at_the_second_reading_ends_the_run() -> None:
    rows = [Row(line, new(video_id=f"v{line}")) for line in (2, 4)]
    bad = BadLine(3, "destination 1: streamKey is missing")
    reading = check.SecondReading([rows[0], bad, rows[1]])

    assert list(reading) == [rows[0].restream]
    assert str(reading.error) == (
        "line 3 was good and is no longer: destination 1: streamKey is missing; nothing from this "
        "line on was sent"
    )


def test_a_key_that_changes_between_the_readings_is_read_once(
    cli: Cli, sandbox: Sandbox, videos: Path, destinations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = check.check

    def checked(*arguments: Any, **options: Any) -> check.CheckedInput:  # noqa: ANN401 - as the real one
        result = real(*arguments, **options)
        (destinations.parent / "keys" / "a").unlink()
        del os.environ["YOUTUBE_KEY"]
        return result

    monkeypatch.setattr("restream_async.cli.commands.bulk.check", checked)

    assert cli("bulk", videos, "--destinations", destinations).code == 0
    assert stored(sandbox) == WANTED
