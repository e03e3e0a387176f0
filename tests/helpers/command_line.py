"""Runs the command line in this process, in a shell or on a terminal, beside a sandbox."""

import asyncio
import builtins
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import attrs
import pytest

from restream_async.cli import main
from restream_async.sandbox import Sandbox

API_KEY = "api-key-nobody-may-see"
STREAM_KEY = "stream-key-nobody-may-see"
STREAM_URL = "rtmps://user:password-in-url@live.example.com/app/path-in-url"
SECRETS = (API_KEY, STREAM_KEY, "password-in-url", "path-in-url")

HEADER = "videoId,title,streamUrl,streamKey,status"
CREATE = ["create", "--video-id", "v1", "--title", "T", "--url", STREAM_URL]
FROM_STDIN = ["--stream-key-file", "-"]
# The JSON of the restream that `create_with` creates.
SHOWN = {"id": 1, "videoId": "v1", "title": "YouTube", "status": True, "host": "live.example.com"}
PATIENCE = 20.0


def row(number: int = 1, *, status: str = "true") -> str:
    return f"v{number},Title {number},{STREAM_URL},{STREAM_KEY}-{number},{status}"


def csv_of(count: int) -> str:
    return "\n".join([HEADER, *(row(number + 1) for number in range(count))]) + "\n"


def no_secrets(*texts: str) -> bool:
    return not any(secret in text for secret in SECRETS for text in texts)


def outcomes(text: str) -> list[dict[str, Any]]:
    """Return the outcomes that a bulk run has written, one JSON line each."""
    return sorted(map(json.loads, text.splitlines()), key=lambda each: each["line"])


def plain(shown: str) -> str:
    """Remove colours and cursor movements from the output of a terminal."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown).replace("\r", "")


def at_once(*_: object) -> float:
    """Replace the waits of the retry policy."""
    return 0.0


def wait_until(happened: Callable[[], object]) -> None:
    """Poll until something has happened in another thread or process."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


@contextmanager
def meanwhile(action: Callable[[], object]) -> Generator[None]:
    """Run `action` in another thread while the block runs, and raise its errors here."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()
    for error in errors:
        raise error


@contextmanager
def interrupt_when(*moments: Callable[[], object], number: int = signal.SIGINT) -> Generator[None]:
    """Press Ctrl-C, or send another signal, at each of these moments while the block runs."""

    def press() -> None:
        for moment in moments:
            wait_until(moment)
            os.kill(os.getpid(), number)

    with meanwhile(press):
        yield


@attrs.frozen
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str


class Cli:
    """Runs the command line in this process, with files as its standard streams."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self.out_file = folder / "stdout"
        self.err_file = folder / "stderr"
        # They exist from the start, so that tests can watch them.
        self.out_file.touch()
        self.err_file.touch()

    def says_stopping(self) -> bool:
        """Return whether it has said that it stops, and a second signal ends it at once."""
        return "Stopping" in self.err_file.read_text()

    def __call__(self, *arguments: object, stdin: bytes | TextIO = b"") -> Ended:
        with (
            self.out_file.open("w", encoding="utf-8") as out,
            self.err_file.open("w", encoding="utf-8") as err,
            self._monkeypatch.context() as patch,
        ):
            patch.setattr("sys.stdout", out)
            patch.setattr("sys.stderr", err)
            if isinstance(stdin, bytes):
                stdin = io.TextIOWrapper(io.BytesIO(stdin))
            patch.setattr("sys.stdin", stdin)
            # A worker ignores signals at its end, when its process would exit.
            before = {
                number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
            }
            try:
                code = main([str(argument) for argument in arguments])
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
        written = self.out_file.read_text() if self.out_file.is_file() else ""
        return Ended(code, written, self.err_file.read_text())


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class CtrlC(Terminal):
    """A terminal on which Ctrl-C is pressed when an answer is read."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override] # StringIO's own
        signal.raise_signal(signal.SIGINT)
        return super().readline(size)


@contextmanager
def pseudo_terminal(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[], str]]:
    """Connect all standard streams to a pseudo-terminal; give a function that returns its text."""
    inner, outer = os.openpty()
    seen = bytearray()

    def drain() -> None:
        try:
            while data := os.read(inner, 65536):
                seen.extend(data)
        except OSError:
            """Linux raises this when the other end is closed."""

    reader = threading.Thread(target=drain)
    reader.start()
    monkeypatch.setenv("TERM", "xterm")
    streams: list[IO[str]] = []
    try:
        with monkeypatch.context() as patch:
            for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                stream = open(outer, mode, closefd=False, encoding="utf-8")  # noqa: SIM115
                streams.append(stream)
                patch.setattr(f"sys.{name}", stream)
            yield lambda: bytes(seen).decode()
    finally:
        # Also where the block fails. Else the reader would keep the process of the tests for ever.
        for stream in streams:
            stream.close()
        os.close(outer)
        reader.join()
        os.close(inner)


def run_in_shell(
    sandbox: Sandbox,
    arguments: Sequence[object],
    streams: str = "",
    *,
    folder: Path | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a process, with redirections such as `2>&1` in `streams`."""
    unwanted = ("RESTREAM_", "COV_", "COVERAGE_", "PYTHONIOENCODING")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    command = f'exec {sys.executable} -m restream_async.cli "$@" {streams}'
    return subprocess.run(  # noqa: S603 - our own
        ["/bin/sh", "-c", command, "sh", *map(str, arguments)],
        env={
            **kept,
            "RESTREAM_BASE_URL": sandbox.base_url,
            "RESTREAM_PROJECT_ID": sandbox.project_id,
            "RESTREAM_API_KEY": API_KEY,
            "RESTREAM_STREAM_KEY": STREAM_KEY,
            "PYTHONWARNINGS": "error",
            **variables,
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


@contextmanager
def sandbox_beside(**settings: Any) -> Generator[Sandbox]:  # noqa: ANN401 - those of Sandbox
    """Run a sandbox in another thread, because the command line blocks this one."""
    sandbox = Sandbox(api_key=API_KEY, project_id="p1", **settings)
    opened = threading.Event()
    loop = asyncio.new_event_loop()
    close = asyncio.Event()

    async def serve() -> None:
        async with sandbox:
            opened.set()
            await close.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert opened.wait(PATIENCE)
        yield sandbox
    finally:
        loop.call_soon_threadsafe(close.set)
        thread.join()


def hide_modules(
    monkeypatch: pytest.MonkeyPatch, *missing: str, before: Callable[[], object] = bool
) -> None:
    """Make modules look as if they were not installed; call `before` when one is imported."""
    real = builtins.__import__

    def lookup(name: str, *rest: Any) -> Any:  # noqa: ANN401 - as the real one
        if name in missing:
            before()
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    for name, module in sorted(sys.modules.items(), reverse=True):
        if name.startswith("restream_async.cli."):
            # Importing it again sets both, so both are restored after the test.
            package, _, last = name.rpartition(".")
            monkeypatch.setattr(sys.modules[package], last, module)
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", lookup)


def create_with(cli: Cli, title: str = "YouTube", *options: str) -> Ended:
    """Run `create`, with the stream key on standard input."""
    command = [*CREATE, "--title", title, *FROM_STDIN, *options]
    return cli(*command, stdin=f"{STREAM_KEY}\n".encode())
