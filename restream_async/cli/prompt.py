"""Private: asks for confirmation before something is changed or deleted."""

import signal
import sys

from restream_async.cli.errors import CliError
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.output.console import console_on, say


def refuse_without_terminal(verb: str) -> None:
    """Check that there is a terminal to ask on; `verb` is as for `confirmed`.

    Raises:
        CliError: there is none.

    """
    if not sys.stdin.isatty():
        raise CliError(
            f"without a terminal there is no way to ask: pass --yes to {verb} without being asked"
        )


def confirmed(question: str, *, verb: str = "delete", done: str = "deleted") -> bool:
    """Ask on the terminal, and print that nothing was done if the answer is no.

    Args:
        question: ends in `[y/N]`.
        verb: what is to be done, for messages.
        done: the same, as it was done.

    Raises:
        CliError: there is no terminal to ask on, or Ctrl-C was pressed.

    """
    refuse_without_terminal(verb)
    console = console_on(sys.stderr)
    console.print(question, end=" ", soft_wrap=not console.file.isatty())
    # A running event loop would only note Ctrl-C and go on waiting for the answer.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline().strip().casefold()
    except KeyboardInterrupt:
        answer = None
    finally:
        signal.signal(signal.SIGINT, before)
    if answer is None:
        console.print()
        raise CliError(f"interrupted: nothing was {done}", ExitCode.INTERRUPTED)
    if answer in {"y", "yes"}:
        return True
    say(console, f"Nothing was {done}.")
    return False
