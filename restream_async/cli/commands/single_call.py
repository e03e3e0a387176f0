"""Private: makes one call to the service for a command, and explains its errors."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from restream_async import InvalidRestreamError, NotFoundError, RestreamClient
from restream_async.cli.errors import CliError, brief
from restream_async.cli.event_loop import run_async
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.output.console import console_on, leave_echoed_line, safe

_T = TypeVar("_T")

# The names on the command line for the arguments of the library.
_ARGUMENTS = {"video_id": "VIDEO_ID", "restream_id": "ID"}


def call_service(
    client: RestreamClient,
    make_call: Callable[[], Awaitable[_T]],
    *,
    doubt: str = "",
    restream_id: str = "",
) -> _T:
    """Make a call in an event loop of its own, and return its result.

    Args:
        client: the client; closed after the call.
        make_call: starts the call.
        doubt: what is unknown after Ctrl-C or SIGTERM, and how to find out.
        restream_id: the restream that must exist for this call, if any.

    Raises:
        CliError: an argument is wrong, the restream does not exist, or a signal arrived.
        RestreamError: the call failed.

    """
    signal_word, code = "interrupted", ExitCode.INTERRUPTED

    def terminate() -> None:
        nonlocal signal_word, code
        signal_word, code = "terminated", ExitCode.TERMINATED
        signal.raise_signal(signal.SIGINT)

    async def call() -> _T:
        # Event loops on Windows have no signal handlers.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        async with client:
            return await make_call()

    try:
        return run_async(call())
    except InvalidRestreamError as error:
        message, code = f"{_ARGUMENTS[error.field]} {error.reason}", ExitCode.USAGE
    except NotFoundError as error:
        if not restream_id:
            raise
        message, code = _not_found(restream_id, error), ExitCode.FAILED
    except KeyboardInterrupt:
        leave_echoed_line(console_on(sys.stderr))
        message = f"{signal_word}: {doubt}" if doubt else signal_word
    raise CliError(message, code)


def _not_found(restream_id: str, error: NotFoundError) -> str:
    return (
        f"there is no restream {safe(restream_id)}: {brief(error)}; check the id with "
        f"{command('list', 'VIDEO_ID')}, and also the project id and the base URL"
    )
