"""The instructions of a program, counted by valgrind. A busy machine does not change them."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks.suite import find

_TIMEOUT: Final = 900.0
"""Seconds for one program: the dearest takes about two minutes on an idle machine."""

_COLLECTED: Final = re.compile(r"Collected : (\d+)")


def instructions(arguments: Sequence[str]) -> int:
    """Run Python with these arguments, and return the number of instructions.

    Raises:
        MissingProgramError: valgrind is not installed.
        RuntimeError: the program failed.
        subprocess.TimeoutExpired: it is not done after a quarter of an hour.

    """
    command = [find("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    # The same hash seed for all runs, because it changes the cost of a dict.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, sys.executable, *arguments],
        check=False,
        timeout=_TIMEOUT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(f"{' '.join(arguments)} failed under valgrind:\n{done.stderr}")
    return int(found[1])
