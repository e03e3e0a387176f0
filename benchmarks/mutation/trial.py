"""One mutant against the tests, in a copy of the repository."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.mutation.mutants import Mutant

_PYTEST: Final = [
    *(sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider"),
    *("--timeout=30", "--hypothesis-seed=1"),
]
_LIMIT: Final = 300.0
"""Seconds for the tests of one stage."""
# The rooms whose tests use a room.
_USERS: Final = {
    "_util": ["_http", "_retry", "_operations", "client", "test_errors.py", "test_reprs.py"],
    "_http": ["_retry", "_operations", "client"],
    "_load": ["_retry", "_operations", "client"],
    "_retry": ["_operations", "_bulk", "telemetry", "client"],
    "_operations": ["_bulk", "_journal", "_wanted_state", "telemetry", "client"],
    "_journal": ["_bulk", "_wanted_state"],
    "_bulk": ["_operations", "_journal", "_wanted_state", "telemetry", "client"],
}
ROOMS: Final = tuple(_USERS)


class Trial(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    catch: str | None
    """The test that failed; None if all passed."""
    unsure: tuple[str, ...] = ()
    """Tests that failed once and then passed, with the same mutant."""

    def __str__(self) -> str:
        """Show it on one line."""
        said = f"caught by {self.catch}" if self.catch else "SURVIVED"
        unsure = f" (failed once: {', '.join(self.unsure)})" if self.unsure else ""
        return f"{self.mutant}  {said}{unsure}"


class Copy:
    """A copy of the repository that mutants are put into, one at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy what the tests need."""
        self._root = folder
        for name in ("restream_async", "tests", "benchmarks"):
            shutil.copytree(root / name, folder / name)
        for path in root.iterdir():
            if path.is_file() and path.name != ".git":
                shutil.copy2(path, folder)

    def try_out(self, mutant: Mutant) -> Trial:
        """Run the tests with the mutant, the nearest first."""
        path = self._root / mutant.path
        source = path.read_bytes()
        path.write_bytes(source[: mutant.start] + mutant.new.encode() + source[mutant.end :])
        unsure: list[str] = []
        try:
            nearest, *others = self._stages(mutant.path)
            if failed := self._failing(nearest):
                return Trial(mutant, failed)
            for tests in others:
                # A test that fails for another reason, on a busy machine, catches nothing.
                while failed := self._failing([*tests, *(f"--deselect={test}" for test in unsure)]):
                    if failed in unsure or self._failing([failed]):
                        return Trial(mutant, failed, tuple(unsure))
                    unsure.append(failed)
        finally:
            path.write_bytes(source)
        return Trial(mutant, None, tuple(unsure))

    def _stages(self, path: str) -> list[list[str]]:
        """Return what pytest runs: the tests of the module, of its room, of the room's users."""
        _, room, file = path.split("/")
        mirrored = f"tests/{room}/test_{file}"
        stages = [[mirrored]] if (self._root / mirrored).exists() else []
        return [
            *stages,
            [f"tests/{room}", f"--deselect={mirrored}"],
            [f"tests/{name}" for name in _USERS[room]],
        ]

    def _failing(self, tests: list[str]) -> str | None:
        """Run tests; return the first that fails."""
        # A folder of its own, because pytest fails if it cannot remove that of an earlier run, in
        # which a test that was ended has left a file system behind.
        temporary = tempfile.mkdtemp(dir=self._root)
        process = subprocess.Popen(  # noqa: S603 - our own tests
            [*_PYTEST, *tests],
            cwd=self._root,
            env={
                **os.environ,
                "PYTHONPATH": str(self._root),
                "PYTEST_DEBUG_TEMPROOT": temporary,
                # Else a module compiled with one mutant could be taken for the next one.
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            return "the time limit"
        finally:
            # Tests that were ended may have left programs behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(temporary, ignore_errors=True)
        if process.returncode == 0:
            return None
        found = re.search(
            r"^(?:FAILED|ERROR) (\S+?\.py(?:::.*?)?)(?: - .*)?$", output, re.MULTILINE
        )
        return found[1] if found else f"pytest itself: {output[-200:]!r}"
