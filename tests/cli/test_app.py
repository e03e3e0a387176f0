import builtins
import importlib.metadata
import importlib.util
import os
import re
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from restream_async.cli import app as app_module
from restream_async.cli import event_loop, main
from restream_async.cli.errors import why
from tests.helpers.command_line import API_KEY, Cli

COMMANDS = ("demo", "create", "bulk", "list", "toggle", "delete", "sandbox")
ALL_COMMANDS = (*COMMANDS, "undo", "enqueue", "worker", "asyncapi")


def without(
    monkeypatch: pytest.MonkeyPatch, *missing: str, before: Callable[[], object] = bool
) -> None:
    """Let modules be as if they were not installed; `before` is called where one is imported."""
    real = builtins.__import__

    def lookup(name: str, *rest: Any) -> Any:  # noqa: ANN401 - as the real one
        if name in missing:
            before()
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    for name, module in sorted(sys.modules.items(), reverse=True):
        if name.startswith("restream_async.cli."):
            # Importing it once more sets both, and both are to be as before.
            package, _, last = name.rpartition(".")
            monkeypatch.setattr(sys.modules[package], last, module)
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", lookup)


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


@pytest.mark.parametrize("command", ["create", "bulk", "list", "toggle", "delete"])
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


@pytest.mark.parametrize("columns", [40, 71, 72, 80])
@pytest.mark.parametrize("command", ["", *ALL_COMMANDS])
def test_help_cuts_off_nothing_on_a_narrow_terminal(
    cli: Cli, command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def help_at(width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        return cli(*filter(None, [command]), "--help").out

    text, wide = help_at(columns), help_at(300)
    assert all(len(row) <= columns for row in text.splitlines())
    assert wide.count("...") == text.count("...")
    assert wide.count("…") == text.count("…")
    assert not _words(wide) - _words(text)


def test_the_usage_of_a_module_breaks_only_between_words(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "program", lambda: "python -m restream_async.cli")
    monkeypatch.setenv("COLUMNS", "40")
    usage, _, _ = cli("delete", "--help").out.partition("\n\n")
    assert usage == "Usage: python -m restream_async.cli\ndelete [OPTIONS] {ID}"


def _words(text: str) -> set[str]:
    """Return the words of a help text without the types, which only tables have throughout."""
    return set(re.findall(r"[\w/:'.-]*\w", re.sub(r"<\w+>", "", text)))


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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_imports_ends_it_at_once_and_quietly(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)
    before = signal.getsignal(number)
    without(monkeypatch, "typer", before=lambda: signal.raise_signal(number))
    assert main([]) == 2
    assert ends == [code]
    assert signal.getsignal(number) == before
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    messages: dict[str, None],
    missing: str,
) -> None:
    without(monkeypatch, missing)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"Error: the command line needs {missing}, which is not installed: "
        "python -m pip install 'restream-async[cli]'\n"
    )
    # It is not printed by what the index of messages watches, which needs the extra.
    messages[said] = None


def test_another_missing_module_is_a_bug_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "shlex")
    with pytest.raises(ModuleNotFoundError, match="shlex"):
        main([])


def test_without_uvloop_the_loop_is_that_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    async def name() -> str:
        import asyncio  # noqa: PLC0415

        return type(asyncio.get_running_loop()).__module__

    if importlib.util.find_spec("uvloop") is not None:
        assert event_loop.run_async(name()).startswith("uvloop")
    without(monkeypatch, "uvloop")
    assert event_loop.run_async(name()).startswith("asyncio")


def test_it_runs_as_a_module_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["restream-async", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("restream_async.cli", run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("restream-async ")


def test_importing_the_module_runs_nothing() -> None:
    runpy.run_module("restream_async.cli.__main__", run_name="imported")


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


def test_the_reason_of_an_error_is_told_in_the_systems_words() -> None:
    assert why(OSError(2, "No such file or directory", "/secret/path")) == (
        "no such file or directory"
    )
    assert why(OSError("Just a text")) == "just a text"
    assert why(OSError()) == "oSError"
