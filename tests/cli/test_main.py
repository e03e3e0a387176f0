import os
import runpy
import signal
import sys

import pytest

from restream_async.cli import main
from tests.helpers.command_line import hide_modules


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
    hide_modules(monkeypatch, "typer", before=lambda: signal.raise_signal(number))
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
    hide_modules(monkeypatch, missing)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"Error: the command line needs {missing}, which is not installed: "
        "python -m pip install 'restream-async[cli]'\n"
    )
    # The index of messages cannot see it, because its console needs the extra.
    messages[said] = None


def test_another_missing_module_is_a_bug_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_modules(monkeypatch, "shlex")
    with pytest.raises(ModuleNotFoundError, match="shlex"):
        main([])


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
