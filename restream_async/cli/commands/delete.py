"""Private: `delete` deletes a restream, or restreams of live videos, after asking."""

from typing import Annotated, Final

import typer

from restream_async import NotFoundError, Restream, RestreamClient, RestreamError
from restream_async.cli.commands.change_selected import RestreamChange, SelectedRestreams
from restream_async.cli.commands.single_call import call_service
from restream_async.cli.errors import CliError
from restream_async.cli.exit_codes import ExitCode
from restream_async.cli.hints import command
from restream_async.cli.input.video_ids import read_video_ids
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.selection import SelectionOptions, selection_options
from restream_async.cli.options.shared import AsJson, OptionalRestreamId, Yes
from restream_async.cli.output.changed_restreams import Words
from restream_async.cli.output.console import safe
from restream_async.cli.output.restreams import print_result
from restream_async.cli.prompt import confirmed

_WORDS: Final = Words(verb="Delete", done="deleted", now="was deleted", end="deleted")


@connection_options
@selection_options
def delete(  # noqa: PLR0913 - one for each option
    selection: SelectionOptions,
    connection: ConnectionOptions,
    *,
    restream_id: OptionalRestreamId = None,
    videos: Annotated[
        list[str] | None,
        typer.Option(
            "--video",
            metavar="VIDEO_ID",
            help="Delete restreams of this live video, all of them or those that are selected "
            "below, instead of ID. Can be given several times.",
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a restream, or restreams of live videos, after asking for confirmation."""
    has_videos = bool(videos) or selection.file is not None
    needs_videos = selection.is_given and not has_videos
    if needs_videos or has_videos is (restream_id is not None):
        raise CliError(
            "name either the ID of a restream, or live videos with --video or --file"
            + (": --destination and --title select restreams of those" if needs_videos else "")
        )
    if restream_id is not None:
        _delete_one(connection, restream_id, yes=yes, as_json=as_json)
        return
    selection.check()
    deleting = SelectedRestreams(
        video_ids=read_video_ids(videos or (), selection.file),
        client=client_for(connection),
        selection=selection,
        change=RestreamChange(words=_WORDS, make=_deleted, always_shown=True),
        yes=yes,
        as_json=as_json,
    )
    raise typer.Exit(deleting.run())


def _delete_one(
    connection: ConnectionOptions, restream_id: str, *, yes: bool, as_json: bool
) -> None:
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
    print_result(
        {"outcome": "deleted", "id": restream_id},
        f"Deleted restream {safe(restream_id)}.",
        done=f"restream {safe(restream_id)} was deleted",
        as_json=as_json,
    )


async def _deleted(client: RestreamClient, restream: Restream) -> Restream:
    try:
        if await client.delete(restream.id):
            return restream
    except NotFoundError:
        # Another program deleted it after it was listed.
        return restream
    raise RestreamError("the service gave no reason")
