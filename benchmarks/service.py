"""The sandbox in a process of its own: it takes no time from the client that is measured."""

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
"""So many seconds after the beginning, an attribute of the sandbox gets a value."""

_SECONDS_TO_CLOSE: Final = 10.0
_SECONDS_TO_ANSWER: Final = 120.0


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

    @property
    def route(self) -> str:
        """Where restreams are created."""
        return f"{self.base_url}/api/v1/{self.project_id}/restreams"


@attrs.frozen(kw_only=True)
class Books:
    """What the service knows when all is done."""

    stored: tuple[Stored, ...]
    counts: Counts


class Service:
    """A sandbox in another process; a context manager. It ends with this process at the latest."""

    def __init__(self, *, faults: Faults, seed: int, **settings: object) -> None:
        """Describe it, also with further settings of `Sandbox`; it opens on entering."""
        self._settings = {"faults": faults, "seed": seed, **settings}

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

    def begin(self, changes: Sequence[Change]) -> None:
        """Let the changes happen, counted from now. Values may be whatever pickle knows."""
        # In hexadecimal digits it is one line.
        self._say(pickle.dumps(list(changes)).hex().encode() + b"\n")

    def books(self) -> Books:
        """Wait until late commits are in, and return what is stored and what has happened."""
        self._say(b"\n")
        return cast("Books", self._hear())

    def _say(self, message: bytes) -> None:
        pipe = _pipe(self._process.stdin)
        pipe.write(message)
        pipe.flush()

    def _hear(self) -> object:
        # One that says nothing is ended, and the pipe with it.
        patience = threading.Timer(_SECONDS_TO_ANSWER, self._process.kill)
        patience.start()
        try:
            return pickle.load(_pipe(self._process.stdout))  # noqa: S301 - from our own child
        except EOFError:
            raise RuntimeError("the service has ended, or did not answer") from None
        finally:
            patience.cancel()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("opened with pipes")
    return pipe
