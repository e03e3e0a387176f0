"""What the tests of the command line need: running it here, and a sandbox beside it."""

import asyncio
import io
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Generator
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
    """Return what a terminal was sent without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown).replace("\r", "")


def at_once(*_: object) -> float:
    """Take the place of the policy's waits."""
    return 0.0


def wait_until(happened: Callable[[], object]) -> None:
    """Look again and again: for what another thread or process does."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


@contextmanager
def meanwhile(action: Callable[[], object]) -> Generator[None]:
    """Do something in another thread while the block runs; what it raises is raised here."""
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
        # There to be watched from the first moment on.
        self.out_file.touch()
        self.err_file.touch()

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
            # A worker leaves signals as a process needs them that ends with it.
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
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class CtrlC(Terminal):
    """A terminal on which Ctrl-C is pressed where an answer is expected."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override] # StringIO's own
        signal.raise_signal(signal.SIGINT)
        return super().readline(size)


@contextmanager
def pseudo_terminal(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[], str]]:
    """Make all standard streams one pseudo-terminal; gives what was written to it."""
    inner, outer = os.openpty()
    seen = bytearray()

    def drain() -> None:
        try:
            while data := os.read(inner, 65536):
                seen.extend(data)
        except OSError:
            """What Linux says when the other end is closed."""

    reader = threading.Thread(target=drain)
    reader.start()
    monkeypatch.setenv("TERM", "xterm")
    with monkeypatch.context() as patch:
        streams: list[IO[str]] = []
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            stream = open(outer, mode, closefd=False, encoding="utf-8")  # noqa: SIM115
            streams.append(stream)
            patch.setattr(f"sys.{name}", stream)
        yield lambda: bytes(seen).decode()
        for stream in streams:
            stream.close()
    os.close(outer)
    reader.join()
    os.close(inner)


@contextmanager
def sandbox_beside(**settings: Any) -> Generator[Sandbox]:  # noqa: ANN401 - those of Sandbox
    """Run a sandbox in a thread of its own, as the command line blocks this one."""
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
