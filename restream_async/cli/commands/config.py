"""Private: `config` shows each setting and where it comes from."""

from itertools import chain
from typing import Annotated

import typer

from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.options.connection import ConnectionOptions, connection_options
from restream_async.cli.options.nats import NatsCliOptions, nats_options
from restream_async.cli.options.origins import Origins, connection_settings, limits, nats_settings
from restream_async.cli.output.console import result_console
from restream_async.cli.output.restreams import print_json
from restream_async.cli.output.settings_table import print_settings


@connection_options
@nats_options
def config(
    connection: ConnectionOptions,
    *,
    context: typer.Context,
    nats: NatsCliOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON.")] = False,
) -> None:
    """Show each setting, its value, and where it comes from. Nothing is sent.

    Keys and passwords are not shown. The exit code is 2 if a setting is missing or wrong.
    """
    origins = Origins(context)
    settings = [
        *chain(connection_settings(connection, origins), limits(), nats_settings(nats, origins))
    ]
    with result_console() as console:
        if as_json:
            print_json(console, [each.json_fields for each in settings], indent=2)
        else:
            print_settings(console, settings)
    raise typer.Exit(ExitCode.USAGE if any(each.problem for each in settings) else ExitCode.DONE)
