"""The same input is a list of restreams, or with destinations a list of videos."""

import io
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.input.destinations import reader_of
from restream_async.cli.input.formats import Format, LineReader, Row
from restream_async.cli.input.source import InputSource
from restream_async.cli.input.videos import VideoReader
from restream_async.cli.output.console import console_on

COLUMN = '[[destinations]]\ntitle = "T"\nstream_url = "rtmp://h/a"\nstream_key_column = "key"\n'


@pytest.fixture
def destinations(tmp_path: Path) -> Path:
    (tmp_path / "d.toml").write_text(COLUMN.replace('_column = "key"', '_file = "key"'))
    (tmp_path / "key").write_text("k1")
    return tmp_path / "d.toml"


def videos(path: Path, destinations: Path, format_: Format | None = None) -> list[str]:
    """Return the videos that are read, or what is wrong."""
    with InputSource(str(path), console_on(io.StringIO())) as source:
        reader = reader_of(source, format_, destinations)
        return [
            item.restream.video_id if isinstance(item, Row) else item.reason
            for item in reader.read(source.lines())
        ]


def test_without_destinations_each_line_is_a_restream(file: Path) -> None:
    with InputSource(str(file), console_on(io.StringIO())) as source:
        reader = reader_of(source, None, None)

    assert (type(reader), reader.per_line) == (LineReader, 1)


def test_with_destinations_each_line_is_a_video(file: Path, destinations: Path) -> None:
    with InputSource(str(file), console_on(io.StringIO())) as source:
        reader = reader_of(source, None, destinations)

    assert (type(reader), reader.per_line) == (VideoReader, 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x", "v1\nv2\n"),
        ("x.txt", "v1\nv2\n"),
        ("x", "videoId\nv1\nv2\n"),
        ("x.csv", "title,videoId\nT,v1\nT,v2\n"),
        ("x", '{"videoId": "v1"}\n{"videoId": "v2"}\n'),
        ("x.jsonl", '{"videoId": "v1"}\n{"videoId": "v2"}\n'),
    ],
)
def test_the_kind_of_a_list_is_known_by_its_name_else_by_its_start(
    name: str, text: str, tmp_path: Path, destinations: Path
) -> None:
    (tmp_path / name).write_text(text)

    assert videos(tmp_path / name, destinations) == ["v1", "v2"]


@pytest.mark.parametrize(("name", "format_"), [("x.csv", None), ("x", "csv"), ("x.tsv.gz", None)])
def test_a_list_that_is_called_csv_has_a_first_line_with_names(
    name: str, format_: Format | None, tmp_path: Path, destinations: Path
) -> None:
    (tmp_path / name).write_text("v1\nv2\n")

    with pytest.raises(CliError, match="must name the columns videoId"):
        videos(tmp_path / name, destinations, format_)


def test_messages_name_the_file_with_the_destinations(tmp_path: Path, destinations: Path) -> None:
    destinations.write_text(COLUMN)
    (tmp_path / "x").write_text("v1\n")

    with pytest.raises(CliError, match=rf"destination 1 of {destinations} uses {{key}}"):
        videos(tmp_path / "x", destinations)
