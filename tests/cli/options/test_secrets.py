import getpass
import io
from pathlib import Path

import pytest

from restream_async.cli.errors import CliError
from restream_async.cli.options.secrets import read_secret, read_stream_key
from tests.helpers.command_line import STREAM_KEY


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_file_may_begin_with_a_byte_order_mark_and_end_with_a_line_break(
    tmp_path: Path, ending: str, encoding: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes((STREAM_KEY + ending).encode(encoding))
    assert read_secret(path, "the stream key") == STREAM_KEY


def test_only_one_line_break_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{STREAM_KEY}\n\n")
    assert read_secret(path, "the stream key") == f"{STREAM_KEY}\n"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty: it should contain the API key"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "key is UTF-16: save it as UTF-8 .it should contain the API key"),
        (b"k\0e\0y\0", "is UTF-16"),
        (b"k\0\0\0e\0\0\0", "is UTF-32"),
        (b"\xe9", "key is not UTF-8 .it should contain the API key; is it the right file"),
        (b"x" * 70_000, "is too long to contain the API key: is it the right file?"),
    ],
)
def test_a_file_that_holds_no_secret_is_one_sentence(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(CliError, match=sentence):
        read_secret(path, "the API key")


def test_a_secret_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read the API key from .*: no such file"):
        read_secret(tmp_path / "nothing", "the API key")


def test_a_secret_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STREAM_KEY.encode())))
    assert read_stream_key(Path("-")) == STREAM_KEY


def test_the_stream_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", STREAM_KEY)
    assert read_stream_key(None) == STREAM_KEY


def test_a_file_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", "another one")
    (tmp_path / "key").write_text(STREAM_KEY)
    assert read_stream_key(tmp_path / "key") == STREAM_KEY


def test_on_a_terminal_the_stream_key_is_asked_for_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Typing(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return STREAM_KEY

    monkeypatch.setattr("sys.stdin", Typing())
    monkeypatch.setattr(getpass, "getpass", ask)
    assert read_stream_key(None) == STREAM_KEY
    assert asked == ["Stream key (not shown): "]


def test_without_a_terminal_there_is_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(STREAM_KEY))
    with pytest.raises(CliError, match="set RESTREAM_STREAM_KEY, or pass --stream-key-file"):
        read_stream_key(None)
