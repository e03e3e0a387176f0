"""Signals that come before a worker has started, or again while it stops."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator

import pytest

from restream_async.cli import app, main
from restream_async.sandbox import Sandbox
from tests.helpers.nats_server import NatsServer

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def own_handlers() -> Generator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def signal_while_importing(
    module: bytes, number: signal.Signals, *arguments: str
) -> tuple[int | None, bytes]:
    """Send a signal while a module is imported; return the exit code and standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "importtime",  # prints a line for each imported module
        "-m",
        "restream_async.cli",
        *arguments,
        env={
            **os.environ,
            "RESTREAM_BASE_URL": "http://127.0.0.1:1",
            "RESTREAM_PROJECT_ID": "p",
            "RESTREAM_API_KEY": "k",
            "RESTREAM_NATS_URL": "nats://127.0.0.1:1",
        },
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while module not in await process.stderr.readline():
            pass
        process.send_signal(number)
        rest = await process.stderr.read()
        await process.wait()
    said = [line for line in rest.splitlines() if not line.startswith(b"import time:")]
    return process.returncode, b"\n".join(said)


@pytest.mark.parametrize("module", [b" typer.", b" nats."])
@pytest.mark.parametrize("number", SIGNALS)
async def test_a_worker_exits_with_0_even_while_it_is_imported(
    module: bytes, number: signal.Signals
) -> None:
    assert await signal_while_importing(module, number, "worker") == (0, b"")


@pytest.mark.parametrize("number", SIGNALS)
async def test_another_command_ends_quietly_with_the_code_of_the_signal(
    number: signal.Signals,
) -> None:
    ended = await signal_while_importing(b" typer.", number, "list", "worker")

    assert ended == (128 + number, b"")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_running_command_handles_signals_itself(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[int] = []
    signal.signal(number, lambda number, _: came.append(number))

    def run(_: object) -> int:
        signal.raise_signal(number)
        return 7

    monkeypatch.setattr(app, "run", run)

    assert main(["list"]) == 7
    assert came == [number]


@pytest.mark.parametrize("number", SIGNALS)
def test_until_a_worker_starts_a_signal_ends_the_process_at_once(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)

    def run(_: object) -> int:
        signal.raise_signal(number)
        return 7

    monkeypatch.setattr(app, "run", run)

    assert main(["worker"]) == 7
    assert ends == [0]


async def test_repeated_signals_change_nothing(nats_server: NatsServer, sandbox: Sandbox) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "restream_async.cli",
        "worker",
        env={
            **os.environ,
            "RESTREAM_BASE_URL": sandbox.base_url,
            "RESTREAM_PROJECT_ID": sandbox.project_id,
            "RESTREAM_API_KEY": sandbox.api_key,
            "RESTREAM_NATS_URL": nats_server.url,
        },
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        said = await process.stderr.readuntil(b"ready: ")
        while process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            await asyncio.sleep(0.01)
        said += await process.stderr.read()

    assert process.returncode == 0
    assert b"Traceback" not in said
