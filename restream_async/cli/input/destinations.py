"""Private: the restreams of an input: its own, or those of its videos to each destination."""

from pathlib import Path

from restream_async.cli.file_roles import FileRole
from restream_async.cli.input.formats import Format, LineReader
from restream_async.cli.input.source import InputSource
from restream_async.cli.input.videos import VideoReader
from restream_async.destinations import read_destinations


def reader_of(source: InputSource, format_: Format | None, destinations: Path | None) -> LineReader:
    """Return the reader of an input: of restreams, or with destinations of a list of videos.

    Args:
        source: the open input.
        format_: the format that `--format` names, or None to guess it.
        destinations: the file that `--destinations` names, or None.

    Raises:
        CliError: the input cannot be read.
        ConfigurationError: the file with the destinations, or a destination, is wrong.

    """
    if destinations is None:
        return LineReader(source.name, format_ or source.guess_format())
    return VideoReader(
        source.name,
        format_ or source.guess_format(),
        read_destinations(destinations),
        file=str(destinations),
        may_be_ids=format_ is None and source.format_by_ending is None,
    )


def roles_of(destinations: Path | None) -> list[FileRole]:
    """Return the file that `--destinations` names, to be compared with others, if there is one."""
    if destinations is None:
        return []
    return [FileRole.of_path(f"the destinations {destinations}", destinations)]
