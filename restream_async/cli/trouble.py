"""What can go wrong that is no bug: one clear sentence, and an exit code."""

from enum import IntEnum
from typing import Final

from restream_async.errors import (
    ApiError,
    CallError,
    CertificateError,
    ForbiddenError,
    JournalError,
    OutageError,
    OutcomeUnknownError,
    RestreamError,
    TransportError,
    UnauthorizedError,
)
from restream_async.redaction import clean

_CHECK_ADDRESS: Final = "check the base URL (RESTREAM_BASE_URL or --base-url)"
_LONGEST_CAUSE: Final = 200
# The library's errors speak of its arguments.
_WORDS: Final = {
    "ensure=True (on the command line: --ensure)": "--ensure",
    ", with ssl=… of RestreamClient, or with --ca-file on the command line": " or --ca-file",
}


class ExitCode(IntEnum):
    """How a command ended, for scripts. A signal's number is added to 128, as shells do."""

    DONE = 0
    FAILED = 1
    """Some of it, or all, was not done."""
    USAGE = 2
    """Arguments, configuration or input are wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""


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


def code_of(error: RestreamError) -> ExitCode:
    """Return how a command ends with an error: `USAGE` for settings that can never work."""
    match error:
        case UnauthorizedError() | CertificateError() | OutageError(reached=False) | JournalError():
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def told(error: RestreamError) -> str:
    """Return an error of the library as a sentence: what to do, in words of the command line."""
    sentence = str(error)
    for theirs, ours in _WORDS.items():
        sentence = sentence.replace(theirs, ours)
    return f"{sentence}{_next_step(error)}"


def in_short(error: RestreamError) -> str:
    """Return what went wrong, without what was asked, and without the page of a cache."""
    match error:
        case OutcomeUnknownError():
            return in_short(error.doubt)
        case ApiError(errors=(), messages=()):
            return f"{error.status} {error.reason}".rstrip()
        case CallError():
            return clean(error.summary, _LONGEST_CAUSE)
        case _:
            return clean(str(error), _LONGEST_CAUSE)


def _next_step(error: RestreamError) -> str:
    """Return what to do about an error of the library, as the end of its sentence; may be empty."""
    if isinstance(error, CallError) and error.note:
        return ""
    match error:
        case UnauthorizedError():
            return "; check the API key (RESTREAM_API_KEY or --api-key-file)"
        case ForbiddenError():
            return "; check what the API key may do, and the project id"
        case OutageError(reached=False):
            return f"; {_CHECK_ADDRESS}"
        case TransportError():
            return "; check the base URL and the network"
        case _:
            return ""


def trouble_of_service(last_error: str, *, reached: bool) -> str:
    """Return what is wrong while nothing succeeds, with the last cause, and what to do about it."""
    cause = f" ({clean(last_error, _LONGEST_CAUSE)})" if last_error else ""
    if not reached:
        return f"the service was never reached{cause}: {_CHECK_ADDRESS}"
    return f"nothing succeeds at the service{cause}"
