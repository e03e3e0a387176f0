"""Hints show commands that work in the place where the command line was called."""

import importlib.metadata
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

import restream_async
from restream_async.cli import hints

CHECKOUT = Path(restream_async.__file__).parents[1]


def called_as(monkeypatch: pytest.MonkeyPatch, path: str, module: str | None = None) -> None:
    main = ModuleType("__main__")
    main.__spec__ = None if module is None else ModuleSpec(module, None)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", [path])


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "restream-async"
    path.parent.mkdir()
    path.touch(mode=0o700)
    return path


def test_a_program_that_the_shell_finds_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, script: Path
) -> None:
    monkeypatch.setenv("PATH", str(script.parent))
    called_as(monkeypatch, str(script))
    assert hints.command("undo", "a b.journal") == "restream-async undo 'a b.journal'"


def test_a_program_that_the_shell_does_not_find_is_called_by_its_path(
    monkeypatch: pytest.MonkeyPatch, script: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    called_as(monkeypatch, ".venv/bin/restream-async")
    assert hints.command("sandbox") == ".venv/bin/restream-async sandbox"
    monkeypatch.setenv("PATH", str(script.parent))
    assert hints.program() == ".venv/bin/restream-async", "the other one is not this one"


def test_a_module_of_a_checkout_is_called_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    called_as(monkeypatch, "restream_async/cli/__main__.py", "restream_async.cli.__main__")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    python = Path(sys.executable).name
    assert hints.command("list", "v1") == f"{python} -m restream_async.cli list v1"
    monkeypatch.setenv("PATH", "")
    assert hints.program() == f"{sys.executable} -m restream_async.cli"


def test_another_program_that_runs_the_command_line_is_not_named() -> None:
    assert hints.program() == "restream-async"


def test_an_argument_that_begins_with_a_dash_stands_after_two() -> None:
    assert hints.command("undo", "-x.csv.journal") == "restream-async undo -- -x.csv.journal"


def test_an_extra_of_an_installed_package_is_installed_by_name() -> None:
    assert hints.install("cli") == "python -m pip install 'restream-async[cli]'"


def test_an_extra_of_a_checkout_is_installed_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(hints, "distribution", absent)
    assert hints.install("cli", "worker") in {
        f"python -m pip install '{CHECKOUT}[cli,worker]'",
        f"python -m pip install {CHECKOUT}[cli,worker]",
    }


def test_a_checkout_says_how_to_call_it_again(tmp_path: Path) -> None:
    end = subprocess.run(
        [sys.executable, "-m", "restream_async.cli", "list", "-v1"],
        env={"PYTHONPATH": str(CHECKOUT), "PATH": str(Path(sys.executable).parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    python = Path(sys.executable).name
    assert (
        f"before it: {python} -m restream_async.cli list -- VIDEO_ID; see {python} -m" in end.stderr
    )
