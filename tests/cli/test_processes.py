"""The command line as a process of its own. These tests are slow, so there are few."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

import pexpect  # type: ignore[import-untyped]
import pytest

from restream_async.sandbox import Sandbox
from tests.helpers.command_line import API_KEY, HEADER, SECRETS, csv_of, row, wait_until


class Child(Protocol):
    """The methods of `pexpect.spawn` that these tests use; pexpect has no types."""

    before: str
    after: str
    exitstatus: int

    def expect(self, pattern: object) -> int: ...
    def sendintr(self) -> None: ...
    def sendline(self, line: str) -> int: ...
    def waitnoecho(self) -> bool: ...
    def wait(self) -> int: ...
    def close(self, *, force: bool) -> None: ...


PROGRAM = [sys.executable, "-m", "restream_async.cli"]


@pytest.fixture
def environment() -> dict[str, str]:
    unwanted = ("RESTREAM_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "TERM": "xterm", "PYTHONWARNINGS": "error"}


@pytest.fixture
def connected(environment: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    return {
        **environment,
        "RESTREAM_BASE_URL": sandbox.base_url,
        "RESTREAM_PROJECT_ID": sandbox.project_id,
        "RESTREAM_API_KEY": API_KEY,
    }


@contextlib.contextmanager
def on_a_terminal(environment: dict[str, str], *arguments: str) -> Generator[Child]:
    spawn: Any = pexpect.spawn  # pyright: ignore[reportUnknownMemberType]
    child: Child = spawn(
        PROGRAM[0],
        [*PROGRAM[1:], *arguments],
        env=environment,
        encoding="utf-8",
        dimensions=(40, 100),
        timeout=20,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def test_the_demo_on_a_terminal_ends_well_and_shows_how_it_goes(
    environment: dict[str, str],
) -> None:
    with on_a_terminal(environment, "demo", "--count", "100") as child:
        child.expect("Creating 100 restreams")
        child.expect("created")
        child.expect(r"in flight.*?\d+ of \d+")
        child.expect(pexpect.EOF)
        shown = child.before
        child.wait()
        assert child.exitstatus == 0
    assert "✓ " in shown
    assert "exactly once" in shown
    assert "\x1b[?25h" in shown, "the cursor is back"


def test_ctrl_c_on_a_terminal_finishes_what_is_in_flight(
    environment: dict[str, str],
) -> None:
    with on_a_terminal(environment, "demo", "--count", "5000") as child:
        child.expect(r"([2-9]\d|\d) of \1")
        child.sendintr()
        child.expect("Stopping: requests in flight are finished first")
        child.expect("✗ .*restreams created.*not sent")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 130
        assert "Traceback" not in (child.before)


def test_keys_that_are_typed_are_not_shown(connected: dict[str, str], sandbox: Sandbox) -> None:
    words = ["--video-id", "v1", "--title", "T", "--url", "rtmp://h.example/a"]
    with on_a_terminal(connected, "create", *words) as child:
        child.expect("Stream key .not shown.: ")
        child.waitnoecho()
        child.sendline("typed-key")
        child.expect(pexpect.EOF)
        shown = child.before
    assert "Created restream 1 of v1" in shown
    assert "typed-key" not in shown
    assert sandbox.stored[0].stream_key == "typed-key"


def test_a_thousand_restreams_and_their_outcomes(
    connected: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "input.csv").write_text(csv_of(1000))
    end = subprocess.run(  # noqa: S603 - our own
        [*PROGRAM, "bulk", "input.csv"],
        env=connected,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert end.returncode == 0, end.stderr
    assert len(end.stdout.splitlines()) == len(sandbox.stored) == 1000
    assert not any(secret in end.stdout + end.stderr for secret in SECRETS)
    assert re.search(r"100 %  1,000 of 1,000: .* took", end.stderr), "the last plain line"


def test_a_reader_that_goes_away_ends_the_run_quietly(
    connected: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "input.csv").write_text(csv_of(20_000))
    with subprocess.Popen(  # noqa: S603 - our own
        [*PROGRAM, "bulk", "input.csv"],
        env=connected,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert '"line": ' in process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "could not be written to standard output: broken pipe" in said
    assert len(sandbox.stored) < 20_000


def test_progress_without_a_reader_stops_nothing(
    environment: dict[str, str],
) -> None:
    with subprocess.Popen(  # noqa: S603 - our own
        [*PROGRAM, "demo", "--count", "5"], env=environment, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        process.stderr.close()
    assert process.returncode == 0


def test_mistakes_are_sentences_and_no_tracebacks(
    environment: dict[str, str], connected: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text(f"{HEADER}\n{row(status='?')}\n")
    for settings, arguments in (
        (environment, ["list", "v1"]),
        (connected, ["bulk", "bad.csv"]),
    ):
        end = subprocess.run(  # noqa: S603 - our own
            [*PROGRAM, *arguments],
            env=settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert end.returncode == 2
        assert "Error: " in end.stderr
        assert "Traceback" not in end.stderr
        assert not any(secret in end.stderr for secret in SECRETS)


def test_the_sandbox_serves_another_process_until_it_is_ended(
    environment: dict[str, str],
) -> None:
    with subprocess.Popen(  # noqa: S603 - our own
        [*PROGRAM, "sandbox", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        exports = [process.stdout.readline() for _ in range(3)]
        settings = dict(line.strip().removeprefix("export ").split("=", 1) for line in exports)
        end = subprocess.run(  # noqa: S603 - our own
            [*PROGRAM, "list", "v1", "--json"],
            env={**environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None)
    assert (end.returncode, end.stdout) == (0, "[]\n")
    assert process.returncode == 0
