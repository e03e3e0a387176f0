"""The sandbox in a process of its own, so that it takes no time from the measured client."""

import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Final, Self, TypeAlias, cast

import attrs

from restream_async.sandbox import Counts, Faults, Stored

Change: TypeAlias = tuple[float, str, object]
"""Seconds after the start, an attribute of the sandbox, and its new value."""

_SECONDS_TO_CLOSE: Final = 10.0
_SECONDS_TO_ANSWER: Final = 120.0


@attrs.frozen(kw_only=True)
class Address:
    """How to reach the service.

    Attributes:
        base_url: of the service.
        gcore_url: of the same service with the route and bodies of Gcore's API.
        project_id: the project.
        api_key: its key.

    """

    base_url: str
    gcore_url: str
    project_id: str
    api_key: str

    @property
    def route(self) -> str:
        """The URL that creates restreams."""
        return f"{self.base_url}/api/v1/{self.project_id}/restreams"


@attrs.frozen(kw_only=True)
class FinalState:
    """What the service has stored and counted at the end."""

    stored: tuple[Stored, ...]
    counts: Counts


class Service:
    """A sandbox in another process; a context manager. It ends with this process at the latest."""

    def __init__(self, *, faults: Faults, seed: int, **settings: object) -> None:
        """Describe it, with any settings of `Sandbox`; entering opens it."""
        self._settings = {"faults": faults, "seed": seed, **settings}

    def __enter__(self) -> Self:
        """Start the process, and wait until the sandbox listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.service_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(pickle.dumps(self._settings))
        self.address = cast("Address", self._receive())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, or kill it if it does not close."""
        with self._process as process:
            _pipe(process.stdin).close()
            try:
                process.wait(_SECONDS_TO_CLOSE)
            except subprocess.TimeoutExpired:
                process.kill()

    def schedule(self, changes: Sequence[Change]) -> None:
        """Schedule changes of settings, counted from now. Values must be picklable."""
        # Hexadecimal digits make it one line.
        self._send(pickle.dumps(list(changes)).hex().encode() + b"\n")

    def final_state(self) -> FinalState:
        """Wait until late commits have happened, and return what is stored and counted."""
        self._send(b"\n")
        return cast("FinalState", self._receive())

    def _send(self, message: bytes) -> None:
        pipe = _pipe(self._process.stdin)
        pipe.write(message)
        pipe.flush()

    def _receive(self) -> object:
        # Killing a process that does not answer also closes the pipe.
        timer = threading.Timer(_SECONDS_TO_ANSWER, self._process.kill)
        timer.start()
        try:
            return pickle.load(_pipe(self._process.stdout))  # noqa: S301 - from our own child
        except EOFError:
            raise RuntimeError("the service has ended, or did not answer") from None
        finally:
            timer.cancel()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("opened with pipes")
    return pipe
