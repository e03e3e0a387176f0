"""Private: `toggle` switches a restream on or off."""

from restream_async.cli.commands.single_call import call_service
from restream_async.cli.hints import command
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.shared import AsJson, RestreamId
from restream_async.cli.output.console import safe
from restream_async.cli.output.restreams import print_result


@connection_options
def toggle(
    connection: ConnectionOptions, *, restream_id: RestreamId, as_json: AsJson = False
) -> None:
    """Switch a restream on if it is off, and off if it is on.

    The request is sent only once, because a second one would switch the restream back.
    """
    client = client_for(connection)
    toggled = call_service(
        client,
        lambda: client.toggle(restream_id),
        restream_id=restream_id,
        doubt=f"restream {safe(restream_id)} may or may not have been switched: see "
        f"{command('list', 'VIDEO_ID')}",
    )
    state = "active" if toggled.status else "inactive"
    print_result(
        {"id": toggled.id, "status": toggled.status},
        f"Restream {safe(toggled.id)} is now {state}.",
        done=f"restream {safe(toggled.id)} is now {state}",
        as_json=as_json,
    )
