"""What can go wrong that is no bug: one clear sentence, and an exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts. A signal's number is added to 128, as shells do."""

    DONE = 0
    FAILED = 1
    """Some of it, or all, was not done."""
    USAGE = 2
    """Arguments, configuration or input are wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""


class Trouble(Exception):  # noqa: N818 - it is what the user has, and often no error of theirs
    """Ends a command with a sentence: what was wrong, with which item, what to do next."""

    def __init__(self, sentence: str, code: ExitCode = ExitCode.USAGE) -> None:
        """Say what is wrong; the text holds no secret."""
        super().__init__(sentence)
        self.code = code


def why(error: OSError) -> str:
    """Return the operating system's reason, without the path that its message repeats."""
    reason = error.strerror or str(error) or type(error).__name__
    return reason[0].lower() + reason[1:]
