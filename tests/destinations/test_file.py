"""A file of destinations is checked as a whole, and every mistake is named with its place."""

import json
from pathlib import Path

import pytest

from restream_async import ConfigurationError
from restream_async.destinations import Destination, read_destinations

TOML = """
[[destinations]]
title = "YouTube: {title}"
stream_url = "rtmps://a.rtmps.youtube.com/live2"
stream_key_env = "YOUTUBE_KEY"

[[destinations]]
title = "Twitch {videoId}"
stream_url = "rtmp://live.twitch.tv/app"
stream_key_file = "twitch.key"
status = false
"""
ENVIRONMENT = {"YOUTUBE_KEY": "youtube-secret", "OTHER": "other-secret"}
ENV = '[[destinations]]\nstream_key_env = "YOUTUBE_KEY"\n'
GOOD = f'{ENV}title = "t"\nstream_url = "rtmp://h/a"\n'


def read(folder: Path, text: str | bytes, name: str = "d.toml") -> tuple[Destination, ...]:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_destinations(folder / name, ENVIRONMENT)


def problem_of(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text)
    assert "secret" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "twitch.key").write_text("twitch-secret\n")
    return tmp_path


def test_keys_come_from_the_environment_and_from_files_beside_the_file(folder: Path) -> None:
    youtube, twitch = read(folder, TOML)

    assert (youtube.stream_key, youtube.status) == ("youtube-secret", True)
    assert (twitch.stream_key, twitch.status) == ("twitch-secret", False)
    assert "secret" not in repr((youtube, twitch))


def test_destinations_can_be_json(folder: Path) -> None:
    item = {"title": "T", "stream_url": "rtmp://h/a", "stream_key_env": "YOUTUBE_KEY"}

    for data in ([item], {"destinations": [item]}):
        (found,) = read(folder, json.dumps(data), "d.JSON")
        assert found.stream_key == "youtube-secret"


def test_a_file_of_windows_is_read(folder: Path) -> None:
    data = b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode()

    assert len(read(folder, data)) == 2


def test_the_path_may_be_a_text(folder: Path) -> None:
    (folder / "d.toml").write_text(TOML)

    assert len(read_destinations(str(folder / "d.toml"), ENVIRONMENT)) == 2


def test_a_key_that_depends_on_a_column_is_not_read_yet(folder: Path) -> None:
    (found,) = read(folder, GOOD.replace("YOUTUBE_KEY", "KEY_{channel}"))

    assert found.columns == {"channel"}


def test_the_whole_url_may_come_from_a_column(folder: Path) -> None:
    (found,) = read(folder, GOOD.replace("rtmp://h/a", "{url}"))

    assert found.restream("v1", {"url": "rtmp://h/b"}).stream_url == "rtmp://h/b"


def test_rules_in_the_file_are_not_destinations(folder: Path) -> None:
    assert len(read(folder, f'{TOML}[[rules]]\nevent = "live.video.created"\n')) == 2


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\xef\xbb\xbftwitch-key\r\n", "twitch-key"),
        ("twitch-key".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"twitch-key\xff", "is not UTF-8"),
        (b"twitch-key \n", "stream_key must not end with U+0020"),
        (b"\n", "the file twitch.key is empty"),
        (b"x" * 70_000, "is too long for a stream key: is it the right file?"),
    ],
)
def test_a_stream_key_file_is_read_like_other_key_files(
    folder: Path, data: bytes, key: str
) -> None:
    (folder / "twitch.key").write_bytes(data)

    if key == "twitch-key":
        assert read(folder, TOML)[1].stream_key == key
    else:
        assert key in problem_of(folder, TOML)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lists no destinations: add a table [[destinations]]"),
        ("destinations = [1]", "destination 1 of PATH is not a table: write [[destinations]]"),
        ("destinations = 1", "destination 1 of PATH is not a table"),
        ("stream_key = secret", "cannot be read from PATH: it is not TOML or JSON at line 1"),
        ("\x00", "it is not TOML or JSON"),
        ('title = "secret', "cannot be read from PATH: it is not TOML or JSON at end of document"),
        ("x".encode("utf-16"), "cannot be read from PATH: it is UTF-16: save it as UTF-8"),
        (f"{GOOD}\n[[rule]]", "PATH has unknown names: rule (known: destinations, rules)"),
        (
            '[[destinations]]\nstream_key = "secret"',
            (
                "destination 1 of PATH holds a stream key: name one of stream_key_env, "
                "stream_key_file or stream_key_column instead"
            ),
        ),
        ('[[destinations]]\nkey = "secret"', "has unknown fields: key (known: title, "),
        ("[[destinations]]", "must name exactly one of stream_key_env, stream_key_file or"),
        (f'{ENV}stream_key_file = "x"', "must name exactly one of"),
        ("[[destinations]]\nstream_key_env = 1", "must name exactly one of"),
        ('[[destinations]]\nstream_key_env = ""', "must name exactly one of"),
        (
            '[[destinations]]\nstream_key_env = "{x}"',
            (
                "stream_key_env must begin with fixed text, as in KEY_{x}: the value of a column "
                "must not name any variable"
            ),
        ),
        (
            '[[destinations]]\nstream_key_column = "{x}"',
            "stream_key_column must be the name of a column, without braces",
        ),
        (
            '[[destinations]]\nstream_key_env = "X"',
            "destination 1 of PATH: stream_key is missing: set the variable X",
        ),
        (
            '[[destinations]]\nstream_key_file = "none"',
            "stream_key is missing: the file none cannot be read: No such file or directory",
        ),
        (ENV, "destination 1 of PATH: title must not be empty"),
        (GOOD.replace('"t"', "7"), "title must be a string, not int"),
        (GOOD.replace("rtmp://h/a", "secret"), "stream_url must have a scheme and a host"),
        (GOOD.replace("rtmp://h/a", "rtmp://{h}:0"), "stream_url must have a port from 1"),
        (f'{GOOD}status = "yes"', "status must be true or false"),
        (GOOD.replace('"t"', '"{t"'), "title must have braces only around the name of a column"),
        (GOOD.replace('"t"', '"t {}"'), "title must have braces only"),
        (
            GOOD + GOOD.replace("rtmp://h/a", "rtmp://H:1935/a/"),
            (
                "destination 2 of PATH has the stream URL and the stream key of destination 1: "
                "remove one of them"
            ),
        ),
        (
            GOOD.replace("stream_key_env", "stream_key_column").replace("YOUTUBE_KEY", "k")
            + GOOD.replace('"t"', '"{k}"'),
            (
                "destination 2 of PATH shows the column k, which holds stream keys: leave it out "
                "of titles and of the names of variables and files"
            ),
        ),
        (
            GOOD.replace("stream_key_env", "stream_key_column").replace("YOUTUBE_KEY", "k")
            + GOOD.replace("YOUTUBE_KEY", "A_{k}"),
            "destination 2 of PATH shows the column k",
        ),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(
    text: str | bytes, reason: str, folder: Path
) -> None:
    assert reason.replace("PATH", str(folder / "d.toml")) in problem_of(folder, text)


def test_a_column_with_keys_may_be_part_of_a_stream_url(folder: Path) -> None:
    text = GOOD.replace("stream_key_env", "stream_key_column").replace("YOUTUBE_KEY", "k")

    (found,) = read(folder, text.replace("rtmp://h/a", "srt://h?streamid={k}"))

    assert found.restream("v1", {"k": "key"}).stream_url == "srt://h?streamid=key"


def test_the_same_stream_url_with_another_key_is_another_destination(folder: Path) -> None:
    assert len(read(folder, GOOD + GOOD.replace("YOUTUBE_KEY", "OTHER"))) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"from .*none\.toml: No such file or directory"):
        read_destinations(tmp_path / "none.toml")


def test_the_variables_are_those_of_the_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "d.toml").write_text(GOOD)
    monkeypatch.setenv("YOUTUBE_KEY", "of the process")

    (found,) = read_destinations(folder / "d.toml")

    assert found.stream_key == "of the process"
