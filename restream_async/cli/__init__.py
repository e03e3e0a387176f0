"""The command line `restream-async`: a door to the library for people and for scripts."""

import os
import signal
import sys
from collections.abc import Sequence

from restream_async.cli.hints import install
from restream_async.cli.standard_streams import let_go_of_streams, prepare_streams

_EXTRA = frozenset({"typer", "rich"})
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    0: all done. 1: some of it failed. 2: usage, configuration or bad input. 130 and 143: ended by
    Ctrl-C and by SIGTERM.

    Args:
        arguments: what stands after the program's name; those of the process where None.

    """
    prepare_streams()
    given = sys.argv[1:] if arguments is None else arguments
    worker = [*given[:1]] == ["worker"]
    # What is imported takes most of a second, in which nothing has begun.
    leave = _leave_well if worker else _leave
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
        # A worker ends well whenever it is told to, and imports more before it begins.
        for number, handler in () if worker else before.items():
            signal.signal(number, handler)
    try:
        return run(given)
    finally:
        let_go_of_streams()


# Neither ends by an exception: Python handles signals in the callbacks of its imports too, where
# one is printed and lost.


def _leave(number: int, _: object) -> None:
    """End at once, with the code that a shell expects of a process that a signal ended."""
    os._exit(128 + number)


def _leave_well(*_: object) -> None:
    """End at once, and well."""
    os._exit(0)
