"""Private: `create` creates one restream."""

from pathlib import Path
from typing import Annotated

import typer

from restream_async import InvalidRestreamError, NewRestream
from restream_async.cli.commands.single_call import call_service
from restream_async.cli.errors import CliError
from restream_async.cli.hints import command
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.secrets import must_ask_for_stream_key, read_stream_key
from restream_async.cli.options.shared import AsJson
from restream_async.cli.output.console import safe
from restream_async.cli.output.restreams import json_fields, print_result

# The names on the command line for the fields of a restream.
_FIELDS = {
    "video_id": "--video-id",
    "title": "--title",
    "stream_url": "--url",
    "stream_key": "the stream key",
}


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
    as_json: AsJson = False,
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
        restream = call_service(
            client,
            lambda: client.create(new),
            doubt=f"the restream of {safe(video_id)} may or may not have been created: see "
            f"{command('list', safe(video_id))}",
        )
        state = "active" if restream.status else "inactive"
        print_result(
            json_fields(restream),
            f"Created restream {safe(restream.id)} of {safe(restream.video_id)}: "
            f"{safe(restream.title)} ({state})",
            done=f"restream {safe(restream.id)} was created",
            as_json=as_json,
        )
        return
    raise CliError(message)
