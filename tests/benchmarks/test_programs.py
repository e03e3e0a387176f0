"""All benchmark programs: they end, and name missing packages."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import deadline, suite

ROOT = Path(__file__).parents[2]
# Without the extra `bench`, because help must work before it is installed.
PROGRAMS = [
    "benchmarks",
    "benchmarks.apply_kill9",
    "benchmarks.fleet",
    "benchmarks.journal",
    "benchmarks.kill9",
    "benchmarks.mutation",
    "benchmarks.wanted_state",
    "benchmarks.worker_scaling",
]


def test_a_program_that_takes_too_long_is_ended() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("hang")

    with pytest.raises(TimeoutError, match=r"not done after 0\.01 s"):
        deadline.run(hang(), 0.01)
    assert ended == ["hang"]


def test_a_time_out_of_the_program_itself_is_not_called_the_deadline() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        deadline.run(fail(), 10.0)


@pytest.mark.parametrize("program", ["nginx", "valgrind"])
def test_a_missing_package_is_named_with_the_command_to_install_it(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: str, path: str | None = None) -> None:
        del path

    monkeypatch.setattr(suite, "which", nowhere)
    with pytest.raises(suite.MissingProgramError, match=f"{program} is needed.*apt-get install"):
        suite.find(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_its_command(program: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", program, "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"usage: python -m {program} " in done.stdout
