"""Private: the errors of the command line and their exit codes; library errors in its words."""

import re
from typing import Final

from restream_async._util.redaction import clean
from restream_async.cli.exit_codes import ExitCode
from restream_async.errors import (
    ApiError,
    CallError,
    CertificateError,
    ConfigurationError,
    JournalError,
    OutageError,
    OutcomeUnknownError,
    ProxyError,
    RestreamError,
    TransportError,
    UnauthorizedError,
)
from restream_async.stats import Stats

_CHECK_ADDRESS: Final = (
    "check the base URL (RESTREAM_BASE_URL or --base-url), the network, and the proxy if there is "
    "one"
)
_LONGEST_CAUSE: Final = 200
# Library errors name arguments of Python. A phrase stands before the words that it contains.
CLI_WORDS: Final = {
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
# A word is left as it is inside a path, a URL or another word.
_ARGUMENT: Final = re.compile(rf"(?<![\w./])({'|'.join(map(re.escape, CLI_WORDS))})(?![\w./])")


class CliError(Exception):
    """Ends a command with a message: what is wrong, with which item, and what to do next."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        """Create an error; the message must hold no secret."""
        super().__init__(message)
        self.code = code


def system_reason(error: OSError) -> str:
    """Return the operating system's reason, without the path that its message repeats."""
    reason = error.strerror or str(error) or type(error).__name__
    return reason[0].lower() + reason[1:]


def exit_code_of(error: RestreamError) -> ExitCode:
    """Return how a command ends with an error: `USAGE` if the settings can never work."""
    match error:
        case ConfigurationError() | JournalError() | OutageError(reached=False):
            return ExitCode.USAGE
        case UnauthorizedError() | CertificateError() | ProxyError():
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def describe(error: RestreamError) -> str:
    """Return a library error in the words of the command line, with what to do next."""
    return f"{in_cli_words(error)}{_next_step(error)}"


def in_cli_words(error: RestreamError) -> str:
    """Return the text of a library error, with options in place of Python arguments."""
    text = str(error)
    # Of a failed call only the advice is ours: the rest may quote the service, or ids.
    original = error.note if isinstance(error, CallError) else text
    translated = _ARGUMENT.sub(lambda found: CLI_WORDS[found[0]], original)
    return text.replace(original, translated) if original else text


def brief(error: RestreamError) -> str:
    """Return the cause of an error in a few words, without the request and without HTML."""
    match error:
        case OutcomeUnknownError():
            return brief(error.doubt)
        case ApiError(errors=(), messages=()):
            return f"{error.status} {error.reason}".rstrip()
        case CallError():
            return clean(error.summary, _LONGEST_CAUSE)
        case _:
            return clean(str(error), _LONGEST_CAUSE)


def _next_step(error: RestreamError) -> str:
    """Return what to do, as the end of a sentence, where the library does not say it."""
    return f"; {_CHECK_ADDRESS}" if isinstance(error, TransportError) and not error.note else ""


def outage_of(stats: Stats, *, any_success: bool) -> str:
    """Return why no request succeeds, and what to do about it; an empty text if there is no outage.

    Args:
        stats: what the client does, or did at its end.
        any_success: whether anything has succeeded. After that, only an open circuit breaker is an
            outage: a few failures at the end of a run are none.

    """
    if stats.state != "open" and (any_success or not stats.last_error):
        return ""
    cause = f" ({clean(stats.last_error, _LONGEST_CAUSE)})" if stats.last_error else ""
    if not stats.reached:
        return f"the service was never reached{cause}: {_CHECK_ADDRESS}"
    return f"no request to the service succeeds{cause}"
