"""Private: `create`, `list`, `toggle` and `delete` each make one call to the service."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from restream_async import (
    InvalidRestreamError,
    NewRestream,
    NotFoundError,
    RestreamClient,
)
from restream_async.cli.errors import CliError, ExitCode, brief
from restream_async.cli.event_loop import run_async
from restream_async.cli.hints import command
from restream_async.cli.options.connection import (
    ConnectionOptions,
    client_for,
    connection_options,
)
from restream_async.cli.options.secrets import must_ask_for_stream_key, read_stream_key
from restream_async.cli.options.shared import Yes
from restream_async.cli.output.console import (
    console_on,
    leave_echoed_line,
    result_console,
    safe,
    say,
)
from restream_async.cli.output.restreams import json_fields, print_json, print_restreams
from restream_async.cli.prompt import confirmed

_T = TypeVar("_T")

_AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON without stream keys; of stream URLs only the host."),
]
_RestreamId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The id of a restream, as create and list show it. "
        "Put -- before an id that begins with a dash.",
    ),
]

# The names on the command line for the fields and arguments of the library.
_FIELDS = {
    "video_id": "--video-id",
    "title": "--title",
    "stream_url": "--url",
    "stream_key": "the stream key",
}
_ARGUMENTS = {"video_id": "VIDEO_ID", "restream_id": "ID"}


@connection_options
def create(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    video_id: Annotated[str, typer.Option(help="The public id of the live video.")],
    title: Annotated[str, typer.Option(help="The name of the destination.")],
    url: Annotated[
        str, typer.Option(help="The URL to push to, such as rtmps://live.example.com/app.")
    ],
    stream_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file with the destination's stream key; - reads standard input.",
            show_default="the variable RESTREAM_STREAM_KEY, else a prompt",
        ),
    ] = None,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Create the restream switched off.")
    ] = False,
    as_json: _AsJson = False,
) -> None:
    """Create one restream.

    If an answer is lost, checks whether the restream exists before sending again.
    """
    client = client_for(connection)

    def new_restream(key: str) -> NewRestream:
        return NewRestream(
            video_id=video_id, title=title, stream_url=url, stream_key=key, status=not inactive
        )

    try:
        if must_ask_for_stream_key(stream_key_file):
            # Check the options before the user types the key.
            new_restream("placeholder")
        new = new_restream(read_stream_key(stream_key_file))
    except InvalidRestreamError as error:
        message = "; ".join(f"{_FIELDS[field]} {reason}" for field, reason in error.problems)
    else:
        restream = _call(
            client,
            lambda: client.create(new),
            doubt=f"the restream of {safe(video_id)} may or may not have been created: see "
            f"{command('list', safe(video_id))}",
        )
        state = "active" if restream.status else "inactive"
        _print_result(
            json_fields(restream),
            f"Created restream {safe(restream.id)} of {safe(restream.video_id)}: "
            f"{safe(restream.title)} ({state})",
            done=f"restream {safe(restream.id)} was created",
            as_json=as_json,
        )
        return
    raise CliError(message)


@connection_options
def list_(
    connection: ConnectionOptions,
    *,
    video_id: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO_ID",
            help="The public id of the live video. Put -- before an id that begins with a dash.",
        ),
    ],
    as_json: _AsJson = False,
) -> None:
    """Show the restreams of a live video, without stream keys and with shortened stream URLs."""
    client = client_for(connection)
    restreams = _call(client, lambda: client.list(video_id))
    if not restreams and not as_json:
        say(console_on(sys.stderr), f"{safe(video_id)} has no restreams.")
        return
    with result_console() as console:
        if as_json:
            print_json(console, [json_fields(each) for each in restreams], indent=2)
        else:
            print_restreams(console, restreams)


@connection_options
def toggle(
    connection: ConnectionOptions, *, restream_id: _RestreamId, as_json: _AsJson = False
) -> None:
    """Switch a restream on if it is off, and off if it is on.

    The request is sent only once, because a second one would switch the restream back.
    """
    client = client_for(connection)
    toggled = _call(
        client,
        lambda: client.toggle(restream_id),
        restream_id=restream_id,
        doubt=f"restream {safe(restream_id)} may or may not have been switched: see "
        f"{command('list', 'VIDEO_ID')}",
    )
    state = "active" if toggled.status else "inactive"
    _print_result(
        {"id": toggled.id, "status": toggled.status},
        f"Restream {safe(toggled.id)} is now {state}.",
        done=f"restream {safe(toggled.id)} is now {state}",
        as_json=as_json,
    )


@connection_options
def delete(
    connection: ConnectionOptions,
    *,
    restream_id: _RestreamId,
    yes: Yes = False,
) -> None:
    """Delete a restream, after asking for confirmation."""
    client = client_for(connection)
    if not yes and not confirmed(f"Delete restream {safe(restream_id)}? [y/N]"):
        return
    deleted = _call(
        client,
        lambda: client.delete(restream_id),
        restream_id=restream_id,
        doubt=f"restream {safe(restream_id)} may or may not have been deleted: run the same "
        "command again",
    )
    if not deleted:
        raise CliError(
            f"the service did not delete restream {safe(restream_id)}, and gave no reason: check "
            f"whether it still exists with {command('list', 'VIDEO_ID')}",
            ExitCode.FAILED,
        )
    with result_console(f"restream {safe(restream_id)} was deleted") as console:
        say(console, f"Deleted restream {safe(restream_id)}.")


def _call(
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


def _print_result(fields: dict[str, Any], sentence: str, *, done: str, as_json: bool) -> None:
    with result_console(done) as console:
        if as_json:
            print_json(console, fields)
        else:
            say(console, sentence)
