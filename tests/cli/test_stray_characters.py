"""The rules for stray characters are the same for all ways in which a value comes in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from restream_async import NewRestream, RestreamError
from restream_async.cli.input.formats import BadLine, LineReader
from restream_async.handling.command_messages import Unusable, decode
from tests.helpers.command_line import API_KEY, HEADER, SECRETS, STREAM_KEY, STREAM_URL, Cli

GOOD: Final = {
    "videoId": "v1",
    "title": "T",
    "streamUrl": STREAM_URL,
    "streamKey": STREAM_KEY,
}
TEXTS: Final = {
    "videoId": "video_id",
    "title": "title",
    "streamUrl": "stream_url",
    "streamKey": "stream_key",
}
AT_AN_END: Final = {
    " ": "U+0020 (space)",
    "\u00a0": "U+00A0 (no-break space)",
    "\u3000": "U+3000 (ideographic space)",
    "\u200b": "U+200B (zero width space)",
    "\u2060": "U+2060 (word joiner)",
    "\ufeff": "U+FEFF (byte order mark)",
    "\t": "U+0009 (tab)",
}


def python(fields: dict[str, str]) -> str:
    try:
        NewRestream(status=True, **{TEXTS[name]: value for name, value in fields.items()})
    except RestreamError as error:
        said = str(error)
        for wire, name in TEXTS.items():
            said = said.replace(name, wire)
        return said
    return ""


def csv(fields: dict[str, str]) -> str:
    cells = ",".join(f'"{fields[name]}"' for name in TEXTS)
    (item,) = LineReader("input", "csv").read([f"{HEADER}\n".encode(), f"{cells},1\n".encode()])
    return item.reason if isinstance(item, BadLine) else ""


def json_line(fields: dict[str, str]) -> str:
    line = json.dumps({**fields, "status": True}).encode()
    (item,) = LineReader("input", "jsonl").read([line])
    return item.reason if isinstance(item, BadLine) else ""


def message(fields: dict[str, str]) -> str:
    items = decode(json.dumps({**fields, "status": True}).encode())
    assert isinstance(items, list)
    return items[0].reason if isinstance(items[0], Unusable) else ""


@pytest.fixture(params=[python, csv, json_line, message], ids=lambda door: door.__name__)
def door(request: pytest.FixtureRequest) -> Callable[[dict[str, str]], str]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(("character", "called"), AT_AN_END.items(), ids=ascii)
def test_a_stray_character_at_an_end_is_refused_and_named(
    door: Callable[[dict[str, str]], str], name: str, character: str, called: str
) -> None:
    value = GOOD[name]
    assert door({**GOOD, name: f"{character}{value}"}) == f"{name} must not begin with {called}"
    assert door({**GOOD, name: f"{value}{character}"}) == f"{name} must not end with {called}"


@pytest.mark.parametrize("name", ["videoId", "streamUrl", "streamKey"])
@pytest.mark.parametrize("character", ["\u00a0", "\u200b", "\u200d", "\u00ad", "\u202e", "\ufeff"])
def test_an_invisible_character_inside_an_id_an_address_or_a_key_is_refused_with_its_place(
    door: Callable[[dict[str, str]], str], name: str, character: str
) -> None:
    value = GOOD[name]
    said = door({**GOOD, name: f"{value[:1]}{character}{value[1:]}"})
    assert said.startswith(f"{name} must not contain U+{ord(character):04X} (")
    assert said.endswith("): it is character 2")


def test_what_may_stand_inside_may_stand_inside_on_every_door(
    door: Callable[[dict[str, str]], str],
) -> None:
    emoji = "👩\u200d👧"
    assert door({**GOOD, "videoId": "v 1", "title": f"20\u00a0h {emoji}", "streamKey": "a b"}) == ""


@pytest.mark.parametrize(("character", "called"), AT_AN_END.items(), ids=ascii)
@pytest.mark.parametrize(
    ("variable", "what"),
    [
        ("RESTREAM_API_KEY", "the API key"),
        ("RESTREAM_PROJECT_ID", "the project id"),
        ("RESTREAM_BASE_URL", "the base URL"),
        ("RESTREAM_STREAM_KEY", "the stream key"),
    ],
)
def test_the_environment_and_key_files_have_the_same_rule(
    cli: Cli,
    settings: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    what: str,
    character: str,
    called: str,
) -> None:
    values = {
        "RESTREAM_API_KEY": API_KEY,
        "RESTREAM_PROJECT_ID": "p1",
        "RESTREAM_BASE_URL": "http://127.0.0.1:9",
        "RESTREAM_STREAM_KEY": STREAM_KEY,
    }
    for name, value in values.items():
        settings.setenv(name, value + (character if name == variable else ""))
    command = ["create", "--video-id", "v1", "--title", "T", "--url", STREAM_URL]
    said = f"Error: {what} must not end with {called}"
    ends = [cli(*command)]
    if variable in {"RESTREAM_API_KEY", "RESTREAM_STREAM_KEY"}:
        # A byte order mark at the start and one line break at the end belong to the file.
        file = tmp_path / "key"
        file.write_bytes(f"{values[variable]}{character}\r\n".encode("utf-8-sig"))
        settings.setenv(variable, values[variable])
        option = "--api-key-file" if variable == "RESTREAM_API_KEY" else "--stream-key-file"
        ends.append(cli(*command, option, file))
    for end in ends:
        assert end.code == 2
        assert end.err.startswith(said)
        assert not any(secret in end.err for secret in SECRETS)
