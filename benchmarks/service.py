"""The sandbox in a process of its own: it takes no time from the client that is measured."""

import pickle
import subprocess
import sys
from types import TracebackType
from typing import IO, Final, Self, cast

import attrs

from restream_async.sandbox import Counts, Faults, Stored

_SECONDS_TO_CLOSE: Final = 10.0


@attrs.frozen(kw_only=True)
class Address:
    """Where the service is, and what opens it.

    Attributes:
        base_url: of the service as it is.
        gcore_url: of the same service behind Gcore's route and bodies.
        project_id: whose restreams they are.
        api_key: the key of the project.

    """

    base_url: str
    gcore_url: str
    project_id: str
    api_key: str


@attrs.frozen(kw_only=True)
class Books:
    """What the service knows when all is done."""

    stored: tuple[Stored, ...]
    counts: Counts


class Service:
    """A sandbox in another process; a context manager. It ends with this process at the latest."""

    def __init__(self, *, faults: Faults, seed: int) -> None:
        """Describe it; it opens on entering."""
        self._settings = {"faults": faults, "seed": seed}

    def __enter__(self) -> Self:
        """Open it, and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._say(pickle.dumps(self._settings))
        self.address = cast("Address", self._hear())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; where it does not close, kill it."""
        with self._process as process:
            _pipe(process.stdin).close()
            try:
                process.wait(_SECONDS_TO_CLOSE)
            except subprocess.TimeoutExpired:
                process.kill()

    def books(self) -> Books:
        """Wait until late commits are in, and return what is stored and what has happened."""
        self._say(b"books\n")
        return cast("Books", self._hear())

    def _say(self, message: bytes) -> None:
        pipe = _pipe(self._process.stdin)
        pipe.write(message)
        pipe.flush()

    def _hear(self) -> object:
        return pickle.load(_pipe(self._process.stdout))  # noqa: S301 - from our own child


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("opened with pipes")
    return pipe
