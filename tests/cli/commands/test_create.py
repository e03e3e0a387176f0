import json

import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import (
    CREATE,
    FROM_STDIN,
    SHOWN,
    STREAM_KEY,
    STREAM_URL,
    Cli,
    Terminal,
    create_with,
    no_secrets,
)


def test_create_says_what_it_created(cli: Cli, sandbox: Sandbox) -> None:
    end = create_with(cli)
    assert (end.code, end.err) == (0, "")
    assert end.out == "Created restream 1 of v1: YouTube (active)\n"
    (stored,) = sandbox.stored
    assert (stored.stream_url, stored.stream_key, stored.status) == (STREAM_URL, STREAM_KEY, True)
    assert no_secrets(end.out, end.err)


def test_create_for_machines_prints_json_without_secrets(cli: Cli, sandbox: Sandbox) -> None:
    del sandbox
    end = create_with(cli, "YouTube", "--json", "--inactive")
    assert json.loads(end.out) == {**SHOWN, "status": False}
    assert no_secrets(end.out, end.err)


def test_create_takes_the_stream_key_from_the_environment(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTREAM_STREAM_KEY", STREAM_KEY)
    assert cli(*CREATE).code == 0
    assert sandbox.stored[0].stream_key == STREAM_KEY


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--video-id", "..", "Error: --video-id must not be '..'"),
        ("--title", " ", "Error: --title must not be empty"),
        (
            "--url",
            STREAM_URL.removeprefix("rtmps:"),
            "Error: --url must have a scheme and a host, such as rtmps://",
        ),
    ],
)
def test_create_refuses_a_wrong_value_and_names_the_option(
    cli: Cli, sandbox: Sandbox, option: str, value: str, sentence: str
) -> None:
    options = {"--video-id": "v1", "--title": "T", "--url": STREAM_URL, option: value}
    words = [word for pair in options.items() for word in pair]
    end = cli("create", *words, "--stream-key-file", "-", stdin=STREAM_KEY.encode())
    assert end.code == 2
    assert end.err.startswith(sentence)
    assert sandbox.counts.posts == 0
    assert no_secrets(end.out, end.err)


def test_create_refuses_a_stream_key_of_several_lines(cli: Cli, sandbox: Sandbox) -> None:
    del sandbox
    end = cli(*CREATE, *FROM_STDIN, stdin=b"one\ntwo\n")
    assert end.code == 2
    assert "Error: the stream key must not contain U+000A (line break): it is char" in end.err


def test_create_names_all_wrong_options(cli: Cli, sandbox: Sandbox) -> None:
    options = ["--video-id", "v1 ", "--title", "", "--url", "rtmp://h:0"]
    end = cli("create", *options, *FROM_STDIN, stdin=b"k\xe2\x80\x8b")
    assert (end.code, sandbox.counts.posts) == (2, 0)
    assert end.err == (
        "Error: --video-id must not end with U+0020 (space); --title must not be empty; "
        "--url must have a port from 1 to 65535, or none; "
        "the stream key must not end with U+200B (zero width space)\n"
    )


def test_an_input_that_ends_before_there_is_a_key_is_one_sentence(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", no_more)
    end = cli(*CREATE, stdin=Terminal())
    assert end.code == 1
    assert (
        end.err
        == "\nError: the input ended before the question was answered, so nothing was done\n"
    )
    assert sandbox.counts.posts == 0


def test_ctrl_c_where_the_key_is_asked_for_says_that_nothing_was_created(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", interrupted)
    end = cli(*CREATE, stdin=Terminal())
    assert end.code == 130
    assert end.err == "\nError: interrupted: nothing was created\n"
    assert sandbox.counts.posts == 0


def test_a_key_is_asked_for_only_where_the_options_are_right(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.setattr("getpass.getpass", pytest.fail)
    end = cli(*CREATE, "--title", "", stdin=Terminal())
    assert (end.code, end.err) == (2, "Error: --title must not be empty\n")
