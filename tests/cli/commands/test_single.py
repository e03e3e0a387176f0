import asyncio
import json
import os
import signal
from collections.abc import Iterator

import pytest

from restream_async import OutageError, RestreamError, TransportError
from restream_async.cli import main
from restream_async.errors import Call, CertificateError, ProxyError
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    API_KEY,
    CREATE,
    FROM_STDIN,
    STREAM_KEY,
    STREAM_URL,
    Cli,
    Terminal,
    at_once,
    create_with,
    meanwhile,
    no_secrets,
    sandbox_beside,
    wait_until,
)

CALL = Call("GET", "/api/v1/p1/live-video/v1/restreams", "v1")
SHOWN = {"id": 1, "videoId": "v1", "title": "YouTube", "status": True, "host": "live.example.com"}


@pytest.fixture
def stuck_sandbox(settings: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox that does not answer."""
    with sandbox_beside(latency=60) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        yield sandbox


def test_create_says_what_it_create_with(cli: Cli, sandbox: Sandbox) -> None:
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


def test_create_has_no_option_for_a_key(cli: Cli, settings: object) -> None:
    del settings
    for option in ("--stream-key", "--api-key"):
        end = cli("list", "v1", f"{option}={STREAM_KEY}")
        assert end.code == 2
        assert no_secrets(end.out, end.err)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--video-id", "..", "Error: --video-id must not be '..'"),
        ("--title", " ", "Error: --title must not be empty"),
        ("--url", "youtube", "Error: --url must have a scheme and a host, such as rtmps://"),
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


def test_a_failure_of_the_service_is_one_sentence(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.faults = Faults(before={Fault.BACKEND_FETCH_FAILED: 1}, retry_after=None)
    end = cli("list", "v1", "--project-id", "another")
    assert (end.code, end.out) == (1, "")
    assert end.err.startswith("Error: 404 Not Found")
    assert end.err.endswith("; check the base URL, the project id and the id of the live video\n")
    assert end.err.count("\n") == 1


@pytest.mark.parametrize(
    "command", [CREATE, ["list", "v1"], ["toggle", "1"], ["delete", "1", "-y"]]
)
def test_a_wrong_key_is_a_wrong_setting(
    cli: Cli, sandbox: Sandbox, settings: pytest.MonkeyPatch, command: list[str]
) -> None:
    del sandbox
    settings.setenv("RESTREAM_API_KEY", "another-key")
    settings.setenv("RESTREAM_STREAM_KEY", STREAM_KEY)
    end = cli(*command)
    assert end.code == 2
    assert "Error: 401 Unauthorized" in end.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CertificateError(CALL, detail="unknown CA", sent=False), 2),
        (ProxyError(CALL, detail="the proxy wants a login", sent=False), 2),
        (OutageError(CALL, reached=False), 2),
        (OutageError(CALL), 1),
        (TransportError(CALL, detail="connection refused", sent=False), 1),
    ],
)
def test_a_service_that_can_never_be_talked_to_is_a_wrong_setting(
    cli: Cli, settings: pytest.MonkeyPatch, error: RestreamError, code: int
) -> None:
    async def fail(*_: object) -> None:
        raise error

    settings.setattr("restream_async.RestreamClient.list", fail)
    assert cli("list", "v1").code == code


def test_a_service_that_cannot_be_reached_is_one_sentence(
    cli: Cli, settings: pytest.MonkeyPatch
) -> None:
    settings.setattr("restream_async._retry.policy.RetryPolicy.wait", at_once)
    end = cli("list", "v1")
    assert end.code == 1
    assert end.err.endswith(
        "; check the base URL (RESTREAM_BASE_URL or --base-url), the network, and the proxy if "
        "there is one\n"
    )
    assert "Traceback" not in end.err
    assert API_KEY not in end.err


@pytest.mark.parametrize(
    ("command", "name"),
    [(["list"], "VIDEO_ID"), (["toggle"], "ID"), (["delete", "--yes"], "ID")],
)
def test_an_id_that_cannot_stand_in_a_path_is_refused_by_its_name_on_the_command_line(
    cli: Cli, settings: object, command: list[str], name: str
) -> None:
    del settings
    end = cli(*command, "..")
    assert end.code == 2
    assert end.err.startswith(f"Error: {name} must not be '..'")


def test_toggle_says_what_it_is_now(cli: Cli, sandbox: Sandbox) -> None:
    create_with(cli)
    assert cli("toggle", "1").out == "Restream 1 is now inactive.\n"
    assert not sandbox.stored[0].status
    assert cli("toggle", "1").out == "Restream 1 is now active.\n"
    assert json.loads(cli("toggle", "1", "--json").out) == {"id": 1, "status": False}


@pytest.mark.parametrize("command", [["toggle"], ["delete", "--yes"]])
def test_an_id_that_does_not_exist_leads_to_list(
    cli: Cli, sandbox: Sandbox, command: list[str]
) -> None:
    del sandbox
    end = cli(*command, "7")
    assert end.code == 1
    assert end.err == (
        "Error: there is no restream 7: 404 Not Found (Result Not Found); check the id with "
        "restream-async list VIDEO_ID, and also the project id and the base URL\n"
    )


@pytest.mark.parametrize("command", ["list", "toggle", "delete"])
def test_an_id_after_two_dashes_is_taken(cli: Cli, sandbox: Sandbox, command: str) -> None:
    del sandbox
    end = cli(command, *(["--yes"] if command == "delete" else []), "--", "-5x")
    assert "-5x" in end.err
    assert "no such option" not in end.err


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


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "term")]
)
@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["toggle", "7"], ": restream 7 may or may not have been switched"),
        (["delete", "7", "-y"], ": restream 7 may or may not have been deleted"),
        ([*CREATE, *FROM_STDIN], ": the restream of v1 may or may not have been created"),
        (["list", "v1"], "ed\n"),
    ],
)
def test_a_signal_says_what_is_uncertain(
    cli: Cli,
    stuck_sandbox: Sandbox,
    command: list[str],
    sentence: str,
    number: int,
    code: int,
    word: str,
) -> None:
    def interrupt() -> None:
        wait_until(lambda: stuck_sandbox.counts.in_flight)
        os.kill(os.getpid(), number)

    with meanwhile(interrupt):
        end = cli(*command, stdin=STREAM_KEY.encode())
    assert end.code == code
    assert end.err.startswith(f"Error: {word}")
    assert sentence in end.err
    assert "Traceback" not in end.err


def test_a_loop_without_signal_handlers_will_do(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sandbox

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", refuse)
    monkeypatch.setattr("restream_async.cli.event_loop._loop_factory", lambda: None)
    assert cli("list", "v1").code == 0


def test_a_reader_that_went_away_is_no_trouble(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_with(cli)
    reading, writing = os.pipe()
    os.close(reading)
    # Closing the file flushes it, as Python does when it exits.
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["toggle", "1"]) == 0
    assert not sandbox.stored[0].status
