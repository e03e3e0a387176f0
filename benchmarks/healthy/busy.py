"""A busy machine: threads or processes that compete with the client for the CPU."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Final

from benchmarks.healthy.scenes import Busy

# It ends with its parent, which closes stdin.
_COMPUTE: Final = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
while True:
    pass
"""


@contextmanager
def busy(kind: Busy | None) -> Generator[None]:
    """Keep this process or this machine busy for as long as the block lasts."""
    with ExitStack() as stack:
        if kind == "thread":
            stack.enter_context(_computing_thread())
        elif kind == "processes":
            for _ in range(os.cpu_count() or 1):
                stack.enter_context(_computing_process())
        yield


@contextmanager
def _computing_thread() -> Generator[None]:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            pass

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _computing_process() -> Generator[None]:
    command = [sys.executable, "-c", _COMPUTE]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - our own
        try:
            yield
        finally:
            process.kill()
