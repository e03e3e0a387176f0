"""Private: the exit codes of all commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts. A signal's number is added to 128, as shells do."""

    DONE = 0
    FAILED = 1
    """Some or all of the work was not done."""
    USAGE = 2
    """Arguments, configuration or input are wrong."""
    CHANGES = 3
    """Only `plan`: there are changes to make."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""
