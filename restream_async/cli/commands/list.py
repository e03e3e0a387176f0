"""Private: `list` shows the restreams of a live video."""

import sys
from typing import Annotated

import typer

from restream_async.cli.commands.single_call import call_service
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.shared import AsJson
from restream_async.cli.output.console import console_on, result_console, safe, say
from restream_async.cli.output.restreams import json_fields, print_json, print_restreams


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
    as_json: AsJson = False,
) -> None:
    """Show the restreams of a live video, without stream keys and with shortened stream URLs."""
    client = client_for(connection)
    restreams = call_service(client, lambda: client.list(video_id))
    if not restreams and not as_json:
        say(console_on(sys.stderr), f"{safe(video_id)} has no restreams.")
        return
    with result_console() as console:
        if as_json:
            print_json(console, [json_fields(each) for each in restreams], indent=2)
        else:
            print_restreams(console, restreams)
