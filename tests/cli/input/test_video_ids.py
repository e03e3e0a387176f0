import gzip
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.video_ids import read_video_ids


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "videos.txt"


def test_ids_come_from_arguments_and_from_a_file_each_once(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfv3\r\n\r\n  v1 \r\n\xc3\xa4 b")
    assert read_video_ids(["v1", "v2", "v1"], str(file)) == ["v1", "v2", "v3", "\u00e4 b"]


@pytest.mark.parametrize(
    "data",
    [
        b"videoId,show\r\nv1,Morning\r\n v2 ,Evening\r\nv1,Night\r\n",
        b'{"videoId": "v1", "show": 1}\n{"videoId": "v2"}\n',
        gzip.compress(b"show;VIDEOID\nMorning;v1\nEvening;v2\n", mtime=0),
    ],
)
def test_a_file_may_be_the_list_of_videos_of_destinations(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert read_video_ids([], str(file)) == ["v1", "v2"]


@pytest.mark.parametrize(
    "data",
    [
        b"videoId,title,streamUrl,streamKey,status\nv1,T,rtmp://a.example,secret,true\n",
        b'{"videoId": "v1", "streamurl": "rtmp://a.example"}\n',
    ],
)
def test_a_file_of_restreams_is_refused_because_all_others_would_be_selected_too(
    file: Path, data: bytes
) -> None:
    file.write_bytes(data)
    with pytest.raises(CliError) as caught:
        read_video_ids([], str(file))
    assert str(caught.value) == (
        f"{file} lists restreams, but --file takes live videos, and would select all their "
        "restreams: write the ids into a file, one on each line"
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"v1\nv2,Morning\n", "line 2 of {} has more than an id: name the columns"),
        (b'{"videoId": 1}\n', "line 1 of {} has a videoId that is not a string"),
        (b"id,show\nv1,Morning\n", "the first line of {} must name the columns videoId; missing"),
        (b"v1\n..\n", "line 2 of {}: the video id must not be '..'"),
        (b"v1\nv\xff\n", "line 2 of {} is not UTF-8"),
        (b"\n \n", "{} names no video"),
        (b"PK\x03\x04", "{} is a ZIP file, such as a spreadsheet"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(file: Path, data: bytes, problem: str) -> None:
    file.write_bytes(data)
    with pytest.raises(CliError) as caught:
        read_video_ids([], str(file))
    assert str(caught.value).startswith(problem.format(file))


def test_a_missing_file_is_a_sentence(file: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read .*: no such file or directory"):
        read_video_ids(["v1"], str(file))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "name the ids of live videos, or a file of ids with --file"),
        (["v1", "."], "VIDEO_ID must not be '.'"),
        ([" v1"], "VIDEO_ID must not begin with U+0020"),
    ],
)
def test_arguments_that_cannot_be_used_are_a_sentence(arguments: list[str], problem: str) -> None:
    with pytest.raises(CliError) as caught:
        read_video_ids(arguments, None)
    assert str(caught.value).startswith(problem)
