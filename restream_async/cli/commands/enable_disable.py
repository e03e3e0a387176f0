"""Private: `enable` and `disable` switch restreams of live videos on and off."""

from collections.abc import Sequence
from typing import Final

import typer

from restream_async import Restream, RestreamClient
from restream_async.cli.commands.change_selected import RestreamChange, SelectedRestreams
from restream_async.cli.input.video_ids import read_video_ids
from restream_async.cli.options.connection import ConnectionOptions, client_for, connection_options
from restream_async.cli.options.selection import SelectionOptions, VideoIds, selection_options
from restream_async.cli.options.shared import AsJson, Yes
from restream_async.cli.output.changed_restreams import Words

_ON: Final = Words(
    verb="Switch on", done="switched on", now="is now active", before="active already"
)
_OFF: Final = Words(
    verb="Switch off", done="switched off", now="is now inactive", before="inactive already"
)


@connection_options
@selection_options
def enable(
    selection: SelectionOptions,
    connection: ConnectionOptions,
    *,
    video_ids: VideoIds = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Switch the restreams of live videos on.

    Asks before it switches on more than one. Active ones stay active, so the command can be run
    again.
    """
    _switch(selection, connection, video_ids, on=True, yes=yes, as_json=as_json)


@connection_options
@selection_options
def disable(
    selection: SelectionOptions,
    connection: ConnectionOptions,
    *,
    video_ids: VideoIds = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Switch the restreams of live videos off.

    Asks before it switches off more than one. Inactive ones stay inactive, so the command can be
    run again.
    """
    _switch(selection, connection, video_ids, on=False, yes=yes, as_json=as_json)


def _switch(  # noqa: PLR0913 - one for each option
    selection: SelectionOptions,
    connection: ConnectionOptions,
    video_ids: Sequence[str] | None,
    *,
    on: bool,
    yes: bool,
    as_json: bool,
) -> None:
    async def switch(client: RestreamClient, restream: Restream) -> Restream:
        return await client.set_status(restream, on)

    selection.check()
    changing = SelectedRestreams(
        video_ids=read_video_ids(video_ids or (), selection.file),
        client=client_for(connection),
        selection=selection,
        change=RestreamChange(
            words=_ON if on else _OFF,
            is_needed=lambda restream: restream.status is not on,
            make=switch,
            most_unasked=1,
        ),
        yes=yes,
        as_json=as_json,
    )
    raise typer.Exit(changing.run())
