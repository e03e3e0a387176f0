"""`create`, `list`, `toggle`, `delete`: one call to the service each."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from restream_async import (
    InvalidRestreamError,
    NewRestream,
    NotFoundError,
    Restream,
    RestreamClient,
)
from restream_async._util.redaction import host_of, mask_url
from restream_async.cli.errors import CliError, ExitCode, in_short
from restream_async.cli.event_loop import run_async
from restream_async.cli.hints import command
from restream_async.cli.options.connection import client_for
from restream_async.cli.options.secrets import is_asked_for, stream_key
from restream_async.cli.options.shared import ConnectionOptions, connected
from restream_async.cli.output.console import (
    begin_line,
    console_on,
    plural,
    result_console,
    safe,
    say,
)
from restream_async.cli.prompt import confirmed

_T = TypeVar("_T")

_AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON, for machines: no stream keys, of stream URLs only the host."
    ),
]
_RestreamId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The id of a restream, as create and list show it. "
        "One that begins with a dash stands after --.",
    ),
]

# A width in columns that nothing is cut to.
_UNBOUNDED: Final = 10_000

# What the library's fields are called here.
_FIELDS = {
    "video_id": "--video-id",
    "title": "--title",
    "stream_url": "--url",
    "stream_key": "the stream key",
}


_ARGUMENTS = {"video_id": "VIDEO_ID", "restream_id": "ID"}


@connected
def create(  # noqa: PLR0913 - one for each option
    connection: ConnectionOptions,
    *,
    video_id: Annotated[str, typer.Option(help="Public identifier of the live video.")],
    title: Annotated[str, typer.Option(help="What to call the destination.")],
    url: Annotated[
        str, typer.Option(help="Where to push to, such as rtmps://live.example.com/app.")
    ],
    stream_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A file with the destination's stream key; - reads standard input.",
            show_default="the variable RESTREAM_STREAM_KEY, else asked for",
        ),
    ] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Create it switched off.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Create one restream.

    A lost answer is no reason for a second one: before sending again, it is looked for.
    """
    client = client_for(connection)

    def wanted(key: str) -> NewRestream:
        return NewRestream(
            video_id=video_id, title=title, stream_url=url, stream_key=key, status=not inactive
        )

    try:
        if is_asked_for(stream_key_file):
            # What is wrong with the options is said before a person types the key.
            wanted("a stand-in")
        new = wanted(stream_key(stream_key_file))
    except InvalidRestreamError as error:
        sentence = "; ".join(f"{_FIELDS[field]} {reason}" for field, reason in error.problems)
    else:
        restream = _call(
            client,
            lambda: client.create(new),
            doubt=f"the restream of {safe(video_id)} may or may not have been created: see "
            f"{command('list', safe(video_id))}",
        )
        state = "active" if restream.status else "inactive"
        _tell(
            _public(restream),
            f"Created restream {safe(restream.id)} of {safe(restream.video_id)}: "
            f"{safe(restream.title)} ({state})",
            done=f"restream {safe(restream.id)} was created",
            as_json=as_json,
        )
        return
    raise CliError(sentence)


@connected
def list_(
    connection: ConnectionOptions,
    *,
    video_id: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO_ID",
            help="Public identifier of the live video. "
            "One that begins with a dash stands after --.",
        ),
    ],
    as_json: _AsJson = False,
) -> None:
    """Show the restreams of a live video. Stream keys are not shown, stream URLs in part."""
    client = client_for(connection)
    restreams = _call(client, lambda: client.list(video_id))
    if not restreams and not as_json:
        say(console_on(sys.stderr), f"{safe(video_id)} has no restreams.")
        return
    with result_console() as console:
        if as_json:
            _say_json(console, [_public(each) for each in restreams], indent=2)
            return
        if not console.file.isatty():
            # The reader is not a terminal: no cell is cut to a width.
            console.width = _UNBOUNDED
        table = _table(restreams)
        wide = console.measure(table, options=console.options.update(max_width=_UNBOUNDED))
        if wide.maximum <= console.width:
            console.print(table)
        else:
            say(console, _below_each_other(restreams))


@connected
def toggle(
    connection: ConnectionOptions, *, restream_id: _RestreamId, as_json: _AsJson = False
) -> None:
    """Switch a restream on if it is off, and off if it is on.

    It is never sent twice: a second one would switch it back.
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
    _tell(
        {"id": toggled.id, "status": toggled.status},
        f"Restream {safe(toggled.id)} is now {state}.",
        done=f"restream {safe(toggled.id)} is now {state}",
        as_json=as_json,
    )


@connected
def delete(
    connection: ConnectionOptions,
    *,
    restream_id: _RestreamId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a restream, after asking."""
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
            f"the service did not delete restream {safe(restream_id)}, and gave no reason: see "
            f"whether it still exists with {command('list', 'VIDEO_ID')}",
            ExitCode.FAILED,
        )
    with result_console(f"restream {safe(restream_id)} was deleted") as console:
        say(console, f"Deleted restream {safe(restream_id)}.")


def _call(
    client: RestreamClient,
    ask: Callable[[], Awaitable[_T]],
    *,
    doubt: str = "",
    restream_id: str = "",
) -> _T:
    """Make one call.

    Args:
        client: whose call it is.
        ask: makes it.
        doubt: what Ctrl-C or SIGTERM leaves open.
        restream_id: which restream it is about, if it is about one that should exist.

    """
    end, code = "interrupted", ExitCode.INTERRUPTED

    def terminate() -> None:
        nonlocal end, code
        end, code = "terminated", ExitCode.TERMINATED
        signal.raise_signal(signal.SIGINT)

    async def call() -> _T:
        # Windows' loops have no signal handlers.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        async with client:
            return await ask()

    try:
        return run_async(call())
    except InvalidRestreamError as error:
        sentence, code = f"{_ARGUMENTS[error.field]} {error.reason}", ExitCode.USAGE
    except NotFoundError as error:
        if not restream_id:
            raise
        sentence, code = _unknown(restream_id, error), ExitCode.FAILED
    except KeyboardInterrupt:
        begin_line(console_on(sys.stderr))
        sentence = f"{end}: {doubt}" if doubt else end
    raise CliError(sentence, code)


def _unknown(restream_id: str, error: NotFoundError) -> str:
    return (
        f"there is no restream {safe(restream_id)}: {in_short(error)}; see the ids with "
        f"{command('list', 'VIDEO_ID')}, and check the project id and the base URL if it is right"
    )


def _public(restream: Restream) -> dict[str, Any]:
    return {
        "id": restream.id,
        "videoId": restream.video_id,
        "title": restream.title,
        "status": restream.status,
        "host": host_of(restream.stream_url),
    }


def _tell(fields: dict[str, Any], sentence: str, *, done: str, as_json: bool) -> None:
    with result_console(done) as console:
        if as_json:
            _say_json(console, fields)
        else:
            say(console, sentence)


def _say_json(console: Console, value: object, indent: int | None = None) -> None:
    # A line break inside a string would make it no JSON.
    console.print(json.dumps(value, indent=indent), soft_wrap=True)


def _table(restreams: list[Restream]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=plural(len(restreams), "restream"), title_justify="left"
    )
    table.add_column("id", overflow="fold")
    table.add_column("title", overflow="fold")
    table.add_column("status")
    table.add_column("to", overflow="fold")
    for each in restreams:
        table.add_row(*_cells(each))
    return table


def _below_each_other(restreams: list[Restream]) -> Text:
    """Return what the table says for a terminal that is too narrow for it."""
    parts = [Text(plural(len(restreams), "restream"), "italic")]
    for each in restreams:
        shown, title, status, to = _cells(each)
        parts += [Text.assemble("\n", shown, "  ", status), title, to]
    return Text("\n").join(parts)


def _cells(restream: Restream) -> tuple[Text, Text, Text, Text]:
    return (
        Text(safe(restream.id)),
        Text(safe(restream.title)),
        Text("active", "green") if restream.status else Text("inactive", "dim"),
        Text(safe(mask_url(restream.stream_url))),
    )
