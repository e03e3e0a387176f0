import asyncio
import signal
from collections.abc import Iterator

import pytest

from restream_async import OutageError, RestreamError, TransportError
from restream_async.errors import Call, CertificateError, ProxyError
from restream_async.sandbox import Fault, Faults, Sandbox
from tests.helpers.command_line import (
    CREATE,
    FROM_STDIN,
    STREAM_KEY,
    Cli,
    at_once,
    interrupt_when,
    no_secrets,
    sandbox_beside,
)

CALL = Call("GET", "/api/v1/p1/live-video/v1/restreams", "v1")


@pytest.fixture
def stuck_sandbox(settings: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox that does not answer."""
    with sandbox_beside(latency=60) as sandbox:
        settings.setenv("RESTREAM_BASE_URL", sandbox.base_url)
        yield sandbox


def test_create_has_no_option_for_a_key(cli: Cli, settings: object) -> None:
    del settings
    for option in ("--stream-key", "--api-key"):
        end = cli("list", "v1", f"{option}={STREAM_KEY}")
        assert end.code == 2
        assert no_secrets(end.out, end.err)


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
    with interrupt_when(lambda: stuck_sandbox.counts.in_flight, number=number):
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
