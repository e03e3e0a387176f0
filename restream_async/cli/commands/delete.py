"""Private: `delete` deletes a restream, after asking for confirmation."""

from restream_async.cli.commands.single_call import call_service
from restream_async.cli.errors import CliError
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.shared import RestreamId, Yes
from restream_async.cli.output.console import result_console, safe, say
from restream_async.cli.prompt import confirmed


@connection_options
def delete(
    connection: ConnectionOptions,
    *,
    restream_id: RestreamId,
    yes: Yes = False,
) -> None:
    """Delete a restream, after asking for confirmation."""
    client = client_for(connection)
    if not yes and not confirmed(f"Delete restream {safe(restream_id)}? [y/N]"):
        return
    deleted = call_service(
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
