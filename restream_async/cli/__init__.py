"""The command line `restream-async`. Public: `main`; the modules in here are private."""

import os
import signal
import sys
from collections.abc import Sequence

from restream_async.cli.hints import install
from restream_async.cli.standard_streams import flush_streams, prepare_streams

_EXTRA = frozenset({"typer", "rich", "pythonjsonlogger"})
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    0: all done. 1: some of it failed. 2: usage, configuration or input is wrong. 3: `plan` found
    changes to make. 130 and 143: ended by Ctrl-C and by SIGTERM.

    Args:
        arguments: the words after the program's name; None takes those of the process.

    """
    prepare_streams()
    given = sys.argv[1:] if arguments is None else arguments
    is_worker = [*given[:1]] == ["worker"]
    # The imports take most of a second, and until they are done no work has begun.
    leave = _exit_with_success if is_worker else _exit_with_signal
    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        from restream_async.cli.app import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.stderr.write(
            f"Error: the command line needs {error.name}, which is not installed: "
            f"{install('cli')}\n"
        )
        return 2
    finally:
        # A signal is a normal end for a worker at any time, and it has more imports to come.
        for number, handler in () if is_worker else before.items():
            signal.signal(number, handler)
    try:
        return run(given)
    finally:
        flush_streams()


# Both exit without an exception: a signal may arrive in a callback of Python's import system, which
# prints an exception and goes on.


def _exit_with_signal(number: int, _: object) -> None:
    """Exit at once with the code that shells expect after a signal."""
    os._exit(128 + number)


def _exit_with_success(*_: object) -> None:
    """Exit at once with code 0."""
    os._exit(0)
