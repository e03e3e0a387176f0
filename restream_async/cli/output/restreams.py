"""Private: shows restreams as JSON or as a table, without stream keys."""

import json
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from restream_async import Restream
from restream_async._util.redaction import host_of, mask_url
from restream_async.cli.output.console import plural, result_console, safe, say

# Wide enough that no cell is cut off.
_UNBOUNDED: Final = 10_000


def json_fields(restream: Restream) -> dict[str, Any]:
    """Return the fields of a restream that may be shown; of its URL only the host."""
    return {
        "id": restream.id,
        "videoId": restream.video_id,
        "title": restream.title,
        "status": restream.status,
        "host": host_of(restream.stream_url),
    }


def print_json(console: Console, value: object, indent: int | None = None) -> None:
    """Print a value as JSON."""
    # Not wrapped: a line break inside a string would make it invalid.
    console.print(json.dumps(value, indent=indent), soft_wrap=True)


def print_result(fields: dict[str, Any], sentence: str, *, done: str, as_json: bool) -> None:
    """Print the result of a command as a sentence or as JSON; `done` is as for `result_console`."""
    with result_console(done) as console:
        if as_json:
            print_json(console, fields)
        else:
            say(console, sentence)


def print_restreams(
    console: Console, restreams: list[Restream], *, with_video: bool = False
) -> None:
    """Print a table, or a list if the terminal is too narrow for the table.

    `with_video` says to which video each restream belongs.
    """
    if not console.file.isatty():
        console.width = _UNBOUNDED
    table = _table(restreams, with_video=with_video)
    wide = console.measure(table, options=console.options.update(max_width=_UNBOUNDED))
    if wide.maximum <= console.width:
        console.print(table)
    else:
        say(console, _list(restreams, with_video=with_video))


def _table(restreams: list[Restream], *, with_video: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=plural(len(restreams), "restream"), title_justify="left"
    )
    if with_video:
        table.add_column("video", overflow="fold")
    table.add_column("id", overflow="fold")
    table.add_column("title", overflow="fold")
    table.add_column("status")
    table.add_column("to", overflow="fold")
    for each in restreams:
        video = [Text(safe(each.video_id))] if with_video else []
        table.add_row(*video, *_cells(each))
    return table


def _list(restreams: list[Restream], *, with_video: bool) -> Text:
    parts = [Text(plural(len(restreams), "restream"), "italic")]
    for each in restreams:
        shown_id, title, status, to = _cells(each)
        video = f"{safe(each.video_id)}: " if with_video else ""
        parts += [Text.assemble("\n", video, shown_id, "  ", status), title, to]
    return Text("\n").join(parts)


def _cells(restream: Restream) -> tuple[Text, Text, Text, Text]:
    return (
        Text(safe(restream.id)),
        Text(safe(restream.title)),
        Text("active", "green") if restream.status else Text("inactive", "dim"),
        Text(safe(mask_url(restream.stream_url))),
    )
