"""What can go wrong that is no bug: one clear sentence, and an exit code."""

import re
from enum import IntEnum
from typing import Final

from restream_async._util.redaction import clean
from restream_async.errors import (
    ApiError,
    CallError,
    CertificateError,
    JournalError,
    OutageError,
    OutcomeUnknownError,
    ProxyError,
    RestreamError,
    TransportError,
    UnauthorizedError,
)

_CHECK_ADDRESS: Final = (
    "check the base URL (RESTREAM_BASE_URL or --base-url), the network, and the proxy if there is "
    "one"
)
_LONGEST_CAUSE: Final = 200
# The library's errors speak of its arguments: the whole phrase before a word of it.
WORDS: Final = {
    "check api_key and auth_scheme": "check the API key (RESTREAM_API_KEY or --api-key-file) and "
    "the scheme (RESTREAM_AUTH_SCHEME or --auth-scheme)",
    "check base_url, project_id and the ids in the route": "check the base URL, the project id and "
    "the id of the live video",
    "check base_url and the network": _CHECK_ADDRESS,
    "with ssl=… or": "with --ca-file or",
    "into the proxy URL, as in": "into the proxy URL in the variable HTTPS_PROXY (or HTTP_PROXY), "
    "as in",
    "run again with ensure=True": "run again with --ensure",
    "run without a journal": "run with --no-journal",
    "pass allow_http=True": "pass --allow-http",
    "goes into api_key": "goes into RESTREAM_API_KEY",
    "base_url=…": "--base-url",
    "project_id=…": "--project-id",
    "api_key=…": "--api-key-file",
    "auth_scheme=…": "--auth-scheme",
    "proxy=…": "--proxy",
    "base_url": "the base URL",
    "project_id": "the project id",
    "api_key": "the API key",
    "auth_scheme": "--auth-scheme",
}
# Not where it is part of a path, of a URL or of another word.
_ARGUMENT: Final = re.compile(rf"(?<![\w./])({'|'.join(map(re.escape, WORDS))})(?![\w./])")


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


class CliError(Exception):
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
        case UnauthorizedError() | CertificateError() | ProxyError() | JournalError():
            return ExitCode.USAGE
        case OutageError(reached=False):
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def told(error: RestreamError) -> str:
    """Return an error of the library as a sentence: what to do, in words of the command line."""
    return f"{in_our_words(error)}{_next_step(error)}"


def in_our_words(error: RestreamError) -> str:
    """Return what an error of the library says, with options in place of arguments."""
    sentence = str(error)
    # Of a call only the advice: the rest may quote the service, or ids.
    theirs = error.note if isinstance(error, CallError) else sentence
    ours = _ARGUMENT.sub(lambda found: WORDS[found[0]], theirs)
    return sentence.replace(theirs, ours) if theirs else sentence


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
    """Return what to do where the library does not say it, as the end of a sentence."""
    return f"; {_CHECK_ADDRESS}" if isinstance(error, TransportError) and not error.note else ""


def trouble_of_service(last_error: str, *, reached: bool) -> str:
    """Return what is wrong while nothing succeeds, with the last cause, and what to do about it."""
    cause = f" ({clean(last_error, _LONGEST_CAUSE)})" if last_error else ""
    if not reached:
        return f"the service was never reached{cause}: {_CHECK_ADDRESS}"
    return f"nothing succeeds at the service{cause}"
