import importlib.metadata

import pytest

from restream_async.cli import app as app_module
from restream_async.cli import main
from tests.helpers.command_line import API_KEY, Cli

COMMANDS = (
    "demo",
    "create",
    "bulk",
    "list",
    "enable",
    "disable",
    "toggle",
    "delete",
    "config",
    "doctor",
    "sandbox",
)


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    end = cli("--version")
    assert (end.code, end.err) == (0, "")
    assert end.out == f"restream-async {importlib.metadata.version('restream-async')}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command_and_the_exit_codes(cli: Cli, option: str) -> None:
    end = cli(option)
    assert end.code == 0
    for word in (*COMMANDS, "RESTREAM_BASE_URL", "130 interrupted"):
        assert word in " ".join(end.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Cli, command: str) -> None:
    end = cli(command, "--help")
    assert end.code == 0
    assert "Usage: restream-async" in end.out


@pytest.mark.parametrize(
    "command", ["create", "bulk", "list", "toggle", "delete", "config", "doctor"]
)
def test_every_command_that_calls_the_service_has_the_options_of_a_connection(
    cli: Cli, command: str
) -> None:
    text = cli(command, "--help").out
    for option in (
        "--base-url",
        "--project-id",
        "--api-key-file",
        "--ca-file",
        "--auth-scheme",
        "[env var: RESTREAM_AUTH_SCHEME]",
        "--proxy",
        "--allow-http",
        "[env var: RESTREAM_BASE_URL]",
    ):
        assert option in text


@pytest.mark.parametrize("columns", ["40", "80"])
def test_without_a_command_there_is_help(
    cli: Cli, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    end = cli()
    assert end.code == 2
    assert end.out.count("Usage:") == 1
    assert not end.err


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    end = cli("creat")
    assert end.code == 2
    assert "Error: no such command 'creat'" in end.err


def test_a_bug_is_shown_as_python_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        secret = API_KEY
        raise ZeroDivisionError(len(secret))

    monkeypatch.setattr(app_module, "app", broken)
    with pytest.raises(ZeroDivisionError):
        main([])


def test_an_exit_without_a_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object, **__: object) -> None:
        raise SystemExit("something")

    monkeypatch.setattr(app_module, "app", leave)
    assert main(["list"]) == 1


def test_an_error_of_the_system_is_a_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("restream_async.cli.app.app", fail)
    end = cli("--version")
    assert (end.code, end.err) == (1, "Error: no space left on device\n")
